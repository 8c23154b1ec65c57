import Collectives
import MPI
import Optimizers

extension Recipe {
  /// How gradients become parameters (`TrainingMethod`).
  public enum Method: String, Sendable, CaseIterable {
    case synchronous
    case local
    case easgd
    case stochasticPush = "stochastic-push"

    /// Whether every shard trains parameters of its own.
    public var isLocal: Bool { self != .synchronous }
  }

  /// What becomes of the shards' momentum where their parameters take the mean.
  public enum LocalMomentum: String, Sendable, CaseIterable {
    /// Each goes on with its own.
    case keep
    case average
  }

  /// What each shard keeps between steps.
  func shardSlots(_ optimizer: Optimizer) -> [ShardSlot] { method.isLocal ? LocalMethod.shardSlots(optimizer) : [] }

  /// α of elastic averaging: 0.9 ÷ S, with which the center moves by 0.9 (Zhang et al., 2014, section 5), unless it is given.
  func elasticRate(shards: Int) -> Double { elasticRate ?? 0.9 / Double(shards) }

  /// Collective.
  func makeMethod(
    _ world: Communicator, _ placement: Placement, _ reducer: GradientReducer, _ vectors: RunVectors,
    _ optimizer: Optimizer, overlap: OverlappedSum?, stepsPerEpoch: Int
  ) throws -> any TrainingMethod {
    func local(_ meeting: LocalMethod.Meeting) throws -> LocalMethod {
      try LocalMethod(
        meeting, interval: localSteps,
        synchronousSteps: TrainingSpan.epochs(localAfterEpochs).steps(stepsPerEpoch: stepsPerEpoch),
        ShardMean(reducer, vectors), vectors, optimizer)
    }
    switch method {
    case .synchronous: return SynchronousMethod(reducer, vectors, optimizer, overlap: overlap)
    case .local: return try local(.mean(ofMomentum: localMomentum == .average))
    case .easgd: return try local(.elastic(rate: elasticRate(shards: placement.shards)))
    case .stochasticPush:
      return try StochasticPush(world, placement, ShardMean(reducer, vectors), vectors, optimizer)
    }
  }
}
