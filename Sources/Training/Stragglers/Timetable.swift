/// For how long ranks compute between two exchanges: the seconds of each rank's turn in each step.
///
/// What a method makes of it is a `WaitingLaw`.
public struct Timetable: Sendable {
  public let ranks: Int
  public let steps: Int
  /// Step by step, ranks within a step.
  private let seconds: [Double]

  public init(ranks: Int, steps: Int, _ seconds: (_ rank: Int, _ step: Int) -> Double) {
    precondition(ranks > 0 && steps >= 0, "\(ranks) ranks, \(steps) steps")
    (self.ranks, self.steps) = (ranks, steps)
    self.seconds = (0..<steps).flatMap { step in (0..<ranks).map { seconds($0, step) } }
  }

  /// Turns that ranks took at paces of their own. As many steps as the busiest rank took turns: one that took fewer goes through
  /// its own again.
  ///
  /// - Parameter turns: of each rank, at least one.
  public init(turns: [[Double]]) {
    precondition(turns.allSatisfy { !$0.isEmpty }, "a rank without a turn")
    self.init(ranks: turns.count, steps: turns.map(\.count).max() ?? 0) { turns[$0][$1 % turns[$0].count] }
  }

  /// Of one step, by rank.
  public subscript(step step: Int) -> ArraySlice<Double> { seconds[ranks * step..<ranks * (step + 1)] }

  /// Of each rank, over all steps.
  public var means: [Double] {
    var sums = [Double](repeating: 0, count: ranks)
    for (index, value) in seconds.enumerated() { sums[index % ranks] += value }
    return sums.map { $0 / Double(max(steps, 1)) }
  }
}
