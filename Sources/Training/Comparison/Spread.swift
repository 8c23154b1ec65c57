/// Mean and deviation of a few values.
public struct Spread: Sendable, Hashable {
  public var mean: Double
  /// The standard deviation of a sample, with n − 1; nil for one value.
  public var deviation: Double?

  /// Nil for no values.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    if values.count > 1 {
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      deviation = (squares / Double(values.count - 1)).squareRoot()
    }
  }

  /// As "91.20 ± 0.13", or "91.20" where all values are equal.
  public func text(_ places: Int) -> String {
    guard let deviation, deviation > 0 else { return decimal(mean, places) }
    return "\(decimal(mean, places)) ± \(decimal(deviation, places))"
  }
}
