/// How far checkpoints are apart: `200` or `200st` steps, `2ep` epochs, `10min` minutes.
public struct SaveInterval: Sendable, Hashable, CustomStringConvertible {
  public enum Unit: String, Sendable, CaseIterable {
    case steps = "st"
    case epochs = "ep"
    case minutes = "min"
  }

  public let count: Int
  public let unit: Unit

  public init(_ count: Int, _ unit: Unit) { (self.count, self.unit) = (count, unit) }

  /// Nil for anything else, and for less than 1.
  public init?(_ text: String) {
    let unit = Unit.allCases.first { text.hasSuffix($0.rawValue) }
    guard let count = Int(text.dropLast(unit?.rawValue.count ?? 0)), count > 0 else { return nil }
    self.init(count, unit ?? .steps)
  }

  public var description: String { "\(count)\(unit == .steps ? "" : unit.rawValue)" }

  /// In words.
  var text: String {
    let word =
      switch unit {
      case .steps: "step"
      case .epochs: "epoch"
      case .minutes: "minute"
      }
    return count == 1 ? "every \(word)" : "every \(grouped(count)) \(word)s"
  }

  /// Whether a state is to be saved after a step.
  ///
  /// - Parameters:
  ///   - epoch: epochs that end with this step, from the first; nil in the middle of one.
  ///   - seconds: since the save before.
  package func isDue(afterStep step: Int, epoch: Int?, seconds: Double) -> Bool {
    switch unit {
    case .steps: step % count == 0
    case .epochs: epoch.map { $0 % count == 0 } ?? false
    case .minutes: seconds >= 60 * Double(count)
    }
  }
}
