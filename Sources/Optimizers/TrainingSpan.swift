/// A span of training in epochs or in steps, converted to steps once.
public enum TrainingSpan: Sendable, Hashable, CustomStringConvertible {
  /// Epochs; may be a fraction.
  case epochs(Double)
  /// Global steps.
  case steps(Int)

  /// Reads "30" and "30ep" as epochs and "500st" as steps; nil for anything else or a negative number.
  public init?(_ text: some StringProtocol) {
    if text.hasSuffix("st") {
      guard let steps = Int(text.dropLast(2)), steps >= 0 else { return nil }
      self = .steps(steps)
    } else {
      let number = text.hasSuffix("ep") ? text.dropLast(2) : text[...]
      guard let epochs = Double(number), epochs >= 0, epochs.isFinite else { return nil }
      self = .epochs(epochs)
    }
  }

  /// The nearest number of steps, for an epoch of `stepsPerEpoch`. Halves round up; what passes `Int` becomes `Int.max`.
  public func steps(stepsPerEpoch: Int) -> Int {
    switch self {
    case .steps(let steps): steps
    case .epochs(let epochs): Int(exactly: (epochs * Double(stepsPerEpoch)).rounded()) ?? .max
    }
  }

  public var description: String {
    switch self {
    case .steps(let steps): "\(steps)st"
    case .epochs(let epochs): "\(epochs)ep"
    }
  }
}
