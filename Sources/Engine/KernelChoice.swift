/// Which kernels a plan has where there is a choice between our own and the library's.
public struct KernelChoice: Sendable, Hashable {
  public enum Kernel: String, Sendable, Hashable, Codable { case own, library }

  public enum Policy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The faster one as far as the shape tells: a pure function of the shape.
    case rules
    /// Ours wherever it can do the operation; to time it.
    case own
    /// Always the library's.
    case library
  }

  public var policy: Policy
  /// By an operation's text, what was chosen for it otherwise.
  public var exceptions: [String: Kernel]

  public init(_ policy: Policy = .rules, exceptions: [String: Kernel] = [:]) {
    (self.policy, self.exceptions) = (policy, exceptions)
  }

  /// - Parameter isFaster: what the rule says of our own kernel.
  func usesOwn(_ operation: String, isFaster: Bool) -> Bool {
    exceptions[operation].map { $0 == .own } ?? (policy == .own || (policy == .rules && isFaster))
  }
}
