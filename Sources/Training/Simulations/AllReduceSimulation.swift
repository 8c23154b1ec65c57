import Collectives

/// What the sum of a buffer takes on a modelled network, by every algorithm, for buffers of many sizes and many numbers of
/// ranks.
public struct AllReduceSimulation: Sendable {
  public var cluster: SimulatedCluster
  public var ranks: [Int]
  public var algorithms: [AllReduceAlgorithm]
  /// Bytes of the buffers, each a multiple of 4.
  public var sizes: [Int]

  public init(_ cluster: SimulatedCluster, ranks: [Int], algorithms: [AllReduceAlgorithm], sizes: [Int]) {
    (self.cluster, self.ranks, self.algorithms, self.sizes) = (cluster, ranks, algorithms, sizes)
  }

  /// One figure of the table.
  public struct Row: Sendable, Hashable {
    public var ranks: Int
    public var bytes: Int
    public var algorithm: AllReduceAlgorithm
    public var seconds: Double
    public var rounds: Int
    public var messages: Int
    /// Sent by all ranks together, and by the one that sends the most.
    public var bytesSent: Int
    public var mostBytesOfARank: Int
    public var busiestLink: SimulationResult.BusyLink?
    /// 2(p − 1)/p · bytes ÷ time, in 10⁹ bytes a second, as `bench all-reduce` has it.
    public var busBandwidth: Double
    /// The share of the time in which the busiest link carries something.
    public var busyShare: Double { seconds > 0 ? (busiestLink?.seconds ?? 0) / seconds : 0 }
  }

  /// - Parameter observe: called for each row, sizes within ranks and algorithms within sizes.
  public func run(_ observe: (Row) throws -> Void) throws {
    for ranks in ranks {
      let simulation = cluster.simulation(ranks: ranks)
      for bytes in sizes {
        for algorithm in algorithms {
          guard let rounds = try cluster.rounds(algorithm, ranks: ranks, elements: bytes / 4) else { continue }
          let result = simulation.run(rounds)
          let least = 2 * Double(ranks - 1) / Double(ranks) * Double(bytes)
          try observe(
            Row(
              ranks: ranks, bytes: bytes, algorithm: algorithm, seconds: result.seconds, rounds: result.rounds,
              messages: result.messages, bytesSent: result.bytes, mostBytesOfARank: result.mostBytesOfARank,
              busiestLink: result.busiestLink,
              busBandwidth: result.seconds > 0 ? least / result.seconds / 1e9 : 0))
        }
      }
    }
  }
}
