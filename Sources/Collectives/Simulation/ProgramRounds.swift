/// The rounds of a schedule's own programs: what ranks carry out, counted.
///
/// Memory and time of the order of messages times ranks; `CompactRounds` is for many ranks.
public struct ProgramRounds: RoundSequence {
  public let ranks: Int
  private let list: [SimulatedRound]
  public var rounds: Int { list.count }

  public init(_ schedule: Schedule) {
    let programs = schedule.programs()
    ranks = schedule.placement.ranks
    let first = programs.map(\.reduceScatter.count).max() ?? 0
    let second = programs.map(\.allGather.count).max() ?? 0
    // A round ahead of all without messages, where shards that live together are added.
    var list = Array(repeating: SimulatedRound(), count: first + second + 1)
    for program in programs {
      list[0].add(program.rank, Self.additions(program.start))
      for (index, round) in (program.reduceScatter).enumerated() {
        Self.count(round, of: program.rank, &list[1 + index])
      }
      for (index, round) in (program.allGather).enumerated() {
        Self.count(round, of: program.rank, &list[1 + first + index])
      }
    }
    self.list = list[0] == SimulatedRound() ? Array(list.dropFirst()) : list
  }

  public func fill(_ round: Int, into value: inout SimulatedRound) { value = list[round] }

  private static func count(_ round: Round, of rank: Int, _ value: inout SimulatedRound) {
    for (index, send) in round.sends.enumerated() {
      if round.sends.prefix(index).contains(where: { $0.destination == send.destination }) { continue }
      let all = round.sends.filter { $0.destination == send.destination }
      value.send(rank, send.destination, all.reduce(0) { $0 + $1.elements.count }, messages: all.count)
    }
    value.addMeanwhile(rank, additions(round.meanwhile))
    value.add(rank, additions(round.sums))
  }

  private static func additions(_ sums: [LocalSum]) -> Int {
    sums.reduce(0) { $0 + $1.elements.count * $1.terms.count { $0 == .plus } }
  }
}
