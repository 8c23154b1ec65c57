import Determinism

/// The rounds of two trees, for as many shards as ranks: the way of one part of each tree, which all segments take one behind
/// the other.
public struct TreeRounds: RoundSequence {
  public let ranks: Int
  public let elements: Int
  public let segments: Int
  private var reduce: [Hop] = []
  private var gather: [Hop] = []
  private let reducingRounds: Int
  private let gatheringRounds: Int

  /// A message or sum of each segment of a tree.
  private struct Hop {
    var tree: Int
    var hop: Int
    var source: Int
    /// The source itself for additions.
    var destination: Int
    var additions = 0
    /// Whether the sum is sent on by the message that follows it.
    var isSent = false
  }

  private struct Moment: Hashable {
    var rank: Int
    var hop: Int
  }

  public init(ranks: Int, elements: Int, segments: Int) {
    (self.ranks, self.elements, self.segments) = (ranks, elements, segments)
    let strategy = Strategy.doubleTree(segments: 1)
    let placement = Placement(shards: ranks, ranks: ranks)
    var (reduce, gather): ([Hop], [Hop]) = ([], [])
    // At least an element in each tree, so that both have their way.
    strategy.forEachRoute(elements: 2, placement: placement) { route in
      let tree = route.elements.lowerBound
      if part(tree, of: 2, in: elements).isEmpty { return }
      let flow = Flow(route, placement: placement)
      let sent = Set(flow.messages.map { Moment(rank: $0.source, hop: $0.hop) })
      reduce += flow.messages.map { Hop(tree: tree, hop: $0.hop, source: $0.source, destination: $0.destination) }
      reduce += flow.sums.map { sum in
        Hop(
          tree: tree, hop: sum.hop, source: sum.rank, destination: sum.rank,
          additions: sum.terms.count { $0 == .plus },
          isSent: sent.contains(Moment(rank: sum.rank, hop: sum.hop)))
      }
      gather += flow.gather.map { Hop(tree: tree, hop: $0.hop, source: $0.source, destination: $0.destination) }
    }
    // Segments without elements are the first ones, so the last sets the number of rounds.
    func rounds(_ hops: [Hop]) -> Int {
      hops.lazy.filter { $0.additions == 0 }.map { $0.hop + segments }.max() ?? 0
    }
    reducingRounds = rounds(reduce)
    gatheringRounds = rounds(gather)
    (self.reduce, self.gather) = (reduce.sorted { $0.hop < $1.hop }, gather.sorted { $0.hop < $1.hop })
  }

  public var rounds: Int { reducingRounds + gatheringRounds }

  public func fill(_ round: Int, into value: inout SimulatedRound) {
    let gathers = round >= reducingRounds
    let index = gathers ? round - reducingRounds : round
    for hop in gathers ? gather : reduce {
      if hop.additions > 0 { add(hop, index, &value) }
      let segment = index - hop.hop
      if hop.additions == 0, (0..<segments).contains(segment) {
        value.send(hop.source, hop.destination, count(hop.tree, segment))
      }
    }
    if value.transfers.count > 1 { value.transfers.sort { ($0.source, $0.destination) < ($1.source, $1.destination) } }
  }

  /// What is sent next is added ahead of its hop; other sums while the messages of that hop are under way, or at the end.
  private func add(_ hop: Hop, _ index: Int, _ value: inout SimulatedRound) {
    let (ahead, during) = (index + 1 - hop.hop, index - hop.hop)
    if (hop.isSent || index == reducingRounds - 1) && (0..<segments).contains(ahead) {
      value.add(hop.source, hop.additions * count(hop.tree, ahead))
    }
    if !hop.isSent && (0..<segments).contains(during) {
      value.addMeanwhile(hop.source, hop.additions * count(hop.tree, during))
    }
  }

  private func count(_ tree: Int, _ segment: Int) -> Int {
    part(segment, of: segments, in: part(tree, of: 2, in: elements).count).count
  }
}
