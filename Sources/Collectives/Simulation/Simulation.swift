/// Carries an all-reduce out in virtual time, on a modelled network.
///
/// Each rank has a clock. A message begins when both its ranks have come to its round and its links are free; a round ends
/// for a rank when its sends have left, its receives have come and its sums are made. Nothing else holds a rank up: the
/// dependencies are those of `BucketReduction`. Messages of a round that share a link go in the order in which they can begin,
/// those of earlier rounds first. Equal arguments give equal results to the bit.
public struct Simulation: Sendable {
  public let network: NetworkModel
  public let ranks: Int
  /// How many times as long each rank takes for its messages and sums as a usual one.
  public let slowness: [Double]
  let crowding: Double

  /// - Parameter slowness: of each rank; nil for 1 everywhere.
  public init(_ network: NetworkModel, ranks: Int, slowness: [Double]? = nil) {
    precondition(ranks >= 1 && network.ranksPerNode >= 1, "\(ranks) ranks, \(network.ranksPerNode) a node")
    precondition(slowness.map { $0.count == ranks } ?? true, "\(slowness?.count ?? 0) values for \(ranks) ranks")
    var network = network
    network.ranksPerNode = min(network.ranksPerNode, ranks)
    self.network = network
    self.ranks = ranks
    self.slowness = slowness ?? Array(repeating: 1, count: ranks)
    crowding = network.crowding
  }

  /// Seconds that an addition of one element takes a rank.
  func additionSeconds(_ rank: Int) -> Double { 4 * network.secondsPerAddedByte * crowding * slowness[rank] }

  /// What a rank's messages to another cost: where they go, and for how long they take the ends' links.
  struct Way {
    var crosses: Bool
    var latency: Double
    /// On a link that others use too.
    var seconds: Double
    /// For the two ranks, of which one may be slow.
    var rankSeconds: Double
  }

  func way(_ transfer: SimulatedRound.Transfer) -> Way {
    let crosses = network.node(of: transfer.source) != network.node(of: transfer.destination)
    let link = crosses ? network.between : network.inside
    let crowding = crosses ? 1 : crowding
    let seconds = crowding * link.seconds(bytes: 4 * transfer.elements, messages: transfer.messages)
    return Way(
      crosses: crosses, latency: crowding * link.latency, seconds: seconds,
      rankSeconds: seconds * max(slowness[transfer.source], slowness[transfer.destination]))
  }

  /// Carries out all rounds.
  ///
  /// Cost: of the order of ranks times rounds.
  ///
  /// - Parameter start: when each rank's contribution is there; nil for 0 everywhere.
  public func run(_ sequence: some RoundSequence, start: [Double]? = nil) -> SimulationResult {
    precondition(sequence.ranks == ranks, "\(sequence.ranks) ranks of \(ranks)")
    if let ring = sequence as? RingRounds, let result = run(ring: ring, start: start) { return result }
    var state = SimulationState(self, start: start)
    var round = SimulatedRound()
    for index in 0..<sequence.rounds {
      round.removeAll()
      sequence.fill(index, into: &round)
      state.carryOut(round)
    }
    return state.result(rounds: sequence.rounds)
  }
}
