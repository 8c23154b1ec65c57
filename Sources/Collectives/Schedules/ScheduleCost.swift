/// What a schedule costs one rank in each half: messages one after another, and elements that it sends.
public struct ScheduleCost: Hashable, Sendable {
  /// Rounds of the reduce-scatter, one message latency each.
  public var reduceScatterRounds = 0
  /// Rounds of the all-gather.
  public var allGatherRounds = 0
  public var messages = 0
  /// Elements sent in the reduce-scatter; 4 bytes each.
  public var reduceScatterElements = 0
  /// Elements sent in the all-gather.
  public var allGatherElements = 0
  /// Additions of one element.
  public var additions = 0

  public init(_ program: RankProgram) {
    reduceScatterRounds = program.reduceScatter.count
    allGatherRounds = program.allGather.count
    messages = (program.reduceScatter + program.allGather).reduce(0) { $0 + $1.sends.count }
    reduceScatterElements = Self.elementsSent(program.reduceScatter)
    allGatherElements = Self.elementsSent(program.allGather)
    for sum in program.sums { additions += sum.elements.count * sum.terms.count { $0 == .plus } }
  }

  private static func elementsSent(_ rounds: [Round]) -> Int {
    rounds.reduce(0) { total, round in round.sends.reduce(total) { $0 + $1.elements.count } }
  }
}

extension RankProgram {
  /// All sums, in the sequence in which they are made.
  public var sums: [LocalSum] { start + reduceScatter.flatMap { $0.meanwhile + $0.sums } }
}
