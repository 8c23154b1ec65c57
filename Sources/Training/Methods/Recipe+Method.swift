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
    case downpour
    case backupWorkers = "backup-workers"
    case asynchronousEASGD = "asynchronous-easgd"
    case gossip
    case goSGD = "gosgd"

    /// Whether every shard trains parameters of its own, all in step.
    public var isLocal: Bool { self == .local || self == .easgd || self == .stochasticPush }
    /// Whether servers update parameters with the gradients of workers.
    public var pushesGradients: Bool { self == .downpour || self == .backupWorkers }
    /// Whether workers go at their own pace, beside servers: the last ranks of the job.
    public var isAsynchronous: Bool { pushesGradients || self == .asynchronousEASGD || isGossip }
    /// Whether workers meet each other, and the last rank of the job is a coordinator.
    public var isGossip: Bool { self == .gossip || self == .goSGD }
    /// Whether workers and shards are the same.
    var hasWorkerPerShard: Bool { isAsynchronous && self != .downpour }
    /// Whether every shard has parameters of its own.
    var trainsShards: Bool { isLocal || isAsynchronous && !pushesGradients }
  }

  /// What becomes of the learning rate of a gradient that is computed from older parameters than it is applied to.
  public enum StalenessRate: String, Sendable, CaseIterable {
    case keep
    /// Divided by the updates in between, as far as they are more than the workers.
    case scale
    /// Divided by the updates in between.
    case paper
  }

  /// The job's ranks that host no shards.
  package var serverRanks: Int { method.isAsynchronous ? servers : 0 }

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
    var ofShard = method.trainsShards ? LocalMethod.shardSlots(optimizer) : []
    if method == .goSGD { ofShard.append(GossipWeight.slot) }
    if method == .stochasticPush { ofShard = StochasticPush.shardSlots(optimizer, overlaps: pushOverlaps) }
    return RunVectors.Needs(
      ownSum: method != .synchronous, worksPartByPart: method.isAsynchronous, shardSlots: ofShard)
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
    case .stochasticPush:
      return "stochastic gradient push: half of a shard's parameters goes to one other each step"
        + (pushOverlaps ? ", and is mixed in a step later" : "")
    case .downpour:
      var parts = ["Downpour SGD over \(count(servers, "server"))"]
      if pushEvery > 1 || fetchEvery > 1 { parts.append("push every \(pushEvery), fetch every \(fetchEvery)") }
      if staleness != .keep { parts.append("rate ÷ staleness" + (staleness == .paper ? " as in the paper" : "")) }
      if delayCompensation > 0 { parts.append("delay compensated by \(delayCompensation)") }
      return parts.joined(separator: ", ") + " · no two runs have the same bits"
    case .backupWorkers:
      return
        "backup workers: the first \(shards - backupWorkers) of \(count(shards, "gradient")) make a step, late ones are "
        + "dropped · no two runs have the same bits"
    case .asynchronousEASGD:
      let name =
        nesterov ? "asynchronous elastic averaging with Nesterov's momentum (EAMSGD)" : "asynchronous elastic averaging"
      return "\(name) over \(count(servers, "server")): each worker and the center meet \(every) of its own, rate "
        + "\(elasticRate(shards: shards)) · no two runs have the same bits"
    case .gossip:
      return "gossip: \(every) of its own a worker takes the mean with one other · no two runs have the same bits"
    case .goSGD:
      return "GoSGD: a worker shares its weight with one other after a step with probability \(pushProbability) · "
        + "no two runs have the same bits"
    }
  }

  /// Collective.
  func makeMethod(
    _ world: Communicator, _ placement: Placement, _ reducer: GradientReducer, _ vectors: RunVectors,
    _ optimizer: Optimizer, overlap: OverlappedSum?, stepsPerEpoch: Int, activity: @escaping () -> Activity
  ) throws -> any TrainingMethod {
    func local(_ meeting: LocalMethod.Meeting) throws -> LocalMethod {
      try LocalMethod(
        meeting, interval: localSteps,
        synchronousSteps: TrainingSpan.epochs(localAfterEpochs).steps(stepsPerEpoch: stepsPerEpoch),
        ShardMean(reducer, vectors), vectors, optimizer)
    }
    func asynchronous(
      _ policy: ServerPolicy, _ makeStrategy: (Communicator) throws -> any WorkerStrategy
    ) throws -> AsynchronousMethod {
      let count = vectors.state.layout.count
      let ranks =
        policy == .coordinate
        ? ServerRanks(coordinatorBehind: world.size - 1)
        : ServerRanks(ranks: world.size, servers: servers, optimizer.layout, count: count)
      return try AsynchronousMethod(
        world, ranks, policy, vectors, optimizer, activity: activity, makeStrategy: makeStrategy)
    }
    func gossip(_ form: GossipWorker.Form) throws -> AsynchronousMethod {
      try asynchronous(.coordinate) { ranks in
        try GossipWorker(
          form, PeerLine(ranks, count: vectors.state.layout.count),
          PeerChoice(seed: seed, method: method.rawValue, shard: world.rank, of: placement.shards), vectors, optimizer,
          shards: placement.shards)
      }
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
    case .downpour, .backupWorkers:
      let policy: ServerPolicy =
        method == .downpour
        ? .each(staleness: staleness, compensation: delayCompensation)
        : .first(count: placement.shards - backupWorkers)
      let isDownpour = method == .downpour
      return try asynchronous(policy) { _ in
        try GradientPushing(
          vectors, optimizer, pushEvery: isDownpour ? pushEvery : 1, fetchEvery: isDownpour ? fetchEvery : 1,
          pushesAlways: policy.countsWorkers)
      }
    case .asynchronousEASGD:
      return try asynchronous(.elastic(rate: elasticRate(shards: placement.shards))) { _ in
        try ElasticWorker(vectors, optimizer, every: localSteps)
      }
    case .gossip: return try gossip(.pull(every: localSteps))
    case .goSGD: return try gossip(.push(probability: pushProbability))
    case .local: return try local(.mean(ofMomentum: localMomentum == .average))
    case .easgd: return try local(.elastic(rate: elasticRate(shards: placement.shards)))
    case .stochasticPush:
      return try StochasticPush(
        world, placement, ShardMean(reducer, vectors), vectors, optimizer, overlaps: pushOverlaps)
    }
  }
}
