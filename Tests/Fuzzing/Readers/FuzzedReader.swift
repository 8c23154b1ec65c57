import CFuzzing

/// A reader of files and what it must hold to, whatever the bytes.
public struct FuzzedReader: Sendable {
  public let name: String
  /// Sound files, and unsound ones of the kinds that deceive others.
  public let seeds: [[UInt8]]
  /// Words of the format, for mutations.
  public let words: [String]
  /// The most memory that a file of some bytes may cost.
  let allowance: @Sendable ([UInt8]) -> Int
  /// Reads a file; throws what the reader throws.
  let body: @Sendable (InputFile, [UInt8]) throws -> Void

  /// What a reader did with a file.
  public struct Outcome: Sendable {
    /// Nil for a file that was taken.
    public var error: String?
    public var peak: Int
    public var allowance: Int
  }

  /// Reads `bytes` as a file. Traps where the reader does; the memory it took is in the outcome.
  public func read(_ bytes: [UInt8], with file: InputFile) -> Outcome {
    file.fill(bytes)
    var outcome = Outcome(error: nil, peak: 0, allowance: allowance(bytes))
    allocations_begin()
    do {
      try body(file, bytes)
      outcome.peak = allocations_peak()
    } catch {
      outcome.peak = allocations_peak()
      outcome.error = "\(error)"
    }
    return outcome
  }

  /// All of them.
  public static let all: [FuzzedReader] = [
    .safetensors, .manifest, .sealedManifest, .configuration, .idx, .idxInGzip, .cifar,
  ]
}

extension FuzzedReader {
  /// A reader that takes a megabyte for anything.
  public static let greedy = FuzzedReader(name: "greedy", seeds: [], words: [], allowance: { _ in 0 }) { _, bytes in
    let taken = [UInt8](repeating: 1, count: 1 << 20)
    precondition(taken.reduce(0) { $0 &+ Int($1) } == 1 << 20, "\(bytes)")
  }
}
