import Collectives

/// What training steps take on a modelled network, by the number of ranks, with and without reducing while the backward pass
/// still runs.
public struct ScalingSimulation: Sendable {
  public var cluster: SimulatedCluster
  public var ranks: [Int]
  public var algorithms: [AllReduceAlgorithm]
  public var step: StepSimulation

  public init(_ cluster: SimulatedCluster, ranks: [Int], algorithms: [AllReduceAlgorithm], step: StepSimulation) {
    (self.cluster, self.ranks, self.algorithms, self.step) = (cluster, ranks, algorithms, step)
  }

  /// One line of the table.
  public struct Row: Sendable, Hashable {
    public var ranks: Int
    public var algorithm: AllReduceAlgorithm
    public var overlapped: StepSimulation.Result
    public var sequential: StepSimulation.Result
  }

  /// - Parameter observe: called for each row, algorithms within ranks.
  public func run(_ observe: (Row) throws -> Void) throws {
    for ranks in ranks {
      let simulation = cluster.simulation(ranks: ranks)
      for algorithm in algorithms {
        let results = try [true, false].map { overlaps in
          var step = step
          step.overlaps = overlaps
          return try step.run(simulation) { elements in
            guard let rounds = try cluster.rounds(algorithm, ranks: ranks, elements: elements) else {
              throw TrainingError(
                .badConfiguration, "--algorithms \(algorithm.rawValue) cannot be simulated: the MPI library chooses.")
            }
            return rounds
          }
        }
        try observe(Row(ranks: ranks, algorithm: algorithm, overlapped: results[0], sequential: results[1]))
      }
    }
  }
}
