/// A setting of optimizer or schedule that cannot work: one sentence that names the flag, the value and the remedy.
public struct OptimizerError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

  init(_ flag: String, _ found: String, _ remedy: String) {
    description = "\(flag) \(found); \(remedy)."
  }

  /// Checks that a value lies where it must.
  static func check(_ isRight: Bool, _ flag: String, _ value: Double, _ remedy: String) throws(OptimizerError) {
    if !isRight { throw OptimizerError(flag, "is \(value)", remedy) }
  }
}
