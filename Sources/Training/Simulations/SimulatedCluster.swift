import Collectives

/// The ranks, nodes and stragglers that a simulation has.
public struct SimulatedCluster: Sendable {
  public var network: NetworkModel
  public var stragglers: Stragglers?
  public var seed: UInt64 = 42
  /// Of a row of `hierarchical` and `torus`; nil for the greatest divisor of the ranks up to their square root.
  public var shardsPerGroup: Int?

  public init(_ network: NetworkModel) { self.network = network }

  /// The most ranks that a simulation takes.
  public static let mostRanks = 16_384

  func simulation(ranks: Int) -> Simulation {
    Simulation(network, ranks: ranks, slowness: stragglers?.slowness(ranks: ranks, seed: seed))
  }

  /// - Throws: where the ranks are many and rows of a grid would differ in length.
  func rounds(_ algorithm: AllReduceAlgorithm, ranks: Int, elements: Int) throws -> (any RoundSequence)? {
    guard
      let strategy = algorithm.strategy(elements: elements, shards: ranks, shardsPerGroup: shardsPerGroup)
    else { return nil }
    if let rounds = Schedule.rounds(strategy, ranks: ranks, elements: elements) { return rounds }
    throw TrainingError(
      .badConfiguration,
      "--shards-per-group \(shardsPerGroup ?? 0) with \(ranks) ranks cannot be: give a divisor of the number of ranks.")
  }
}
