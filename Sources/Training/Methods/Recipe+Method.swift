import Collectives
import Compression
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

  /// The codec of `compression`; nil for none.
  var codec: GradientCompression.Codec? { compression.codec(momentum: Float(momentum), isNesterov: nesterov) }

  /// Whether a codec applies momentum, and weight decay with it, in place of the optimizer.
  public var codecTakesMomentum: Bool { codec?.codec.takesOverMomentum ?? false }

  /// Whether gradients are summed bucket by bucket as they are.
  var usesReducer: Bool { method == .synchronous && compression == .none }

  /// What the method keeps.
  func needs(_ optimizer: Optimizer) throws -> RunVectors.Needs {
    if let codec {
      return RunVectors.Needs(
        ownSum: true, shardSlots: CompressedSum.shardSlots(codec), commonSlots: CompressedSum.commonSlots(codec))
    }
    return method.isLocal
      ? RunVectors.Needs(ownSum: true, shardSlots: LocalMethod.shardSlots(optimizer)) : RunVectors.Needs()
  }

  /// α of elastic averaging: 0.9 ÷ S, with which the center moves by 0.9 (Zhang et al., 2014, section 5), unless it is given.
  func elasticRate(shards: Int) -> Double { elasticRate ?? 0.9 / Double(shards) }

  /// What the banner says of a method; nil for the usual one.
  func methodText(shards: Int, stepsPerEpoch: Int) -> String? {
    let after = TrainingSpan.epochs(localAfterEpochs).steps(stepsPerEpoch: stepsPerEpoch)
    let start = after > 0 ? ", synchronous for \(count(after, "step"))" : ""
    let every = localSteps == 1 ? "every step" : "every \(grouped(localSteps)) steps"
    switch method {
    case .synchronous: return nil
    case .local:
      return "local SGD: shards take their mean \(every)\(start), "
        + (localMomentum == .keep ? "each with its own momentum" : "of momentum too")
    case .easgd:
      return "elastic averaging: shards and a center meet \(every)\(start), rate \(elasticRate(shards: shards))"
    case .stochasticPush: return "stochastic gradient push: half of a shard's parameters goes to one other each step"
    }
  }

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
    case .synchronous:
      if let codec {
        let decay = codecTakesMomentum ? weightDecay : 0
        let sum = try CompressedSum(
          world, placement, compression, codec, vectors, seed: seed, weightDecay: decay
        ) { entry in entry.parameter.isWeight || decaysAll }
        // Deep gradient compression, 3.2: each shard clips its own part.
        let clip = codecTakesMomentum ? clipNorm.map { $0 / Double(placement.shards).squareRoot() } : nil
        return CompressedMethod(sum, reducer, vectors, optimizer, stepsPerEpoch: stepsPerEpoch, localClipNorm: clip)
      }
      return SynchronousMethod(reducer, vectors, optimizer, overlap: overlap)
    case .local: return try local(.mean(ofMomentum: localMomentum == .average))
    case .easgd: return try local(.elastic(rate: elasticRate(shards: placement.shards)))
    case .stochasticPush:
      return try StochasticPush(world, placement, ShardMean(reducer, vectors), vectors, optimizer)
    }
  }
}
