import Collectives
import Datasets
import Engine
import Foundation
import MPI
import Models
import Networks
import Optimizers
import TensorFiles

/// Data-parallel training of one run.
///
/// All ranks make a trainer with equal arguments and call its methods in the same order: everything here is collective.
///
///     let executor = try Trainer.makeExecutor(network: network, recipe: recipe, resources: resources, data: data)
///     let trainer = try Trainer(
///       world: world, recipe: recipe, resources: resources, data: data, executor: executor)
///     try trainer.start()
///     let summary = try trainer.run(Trainer.RunActions()) { event in … }
public final class Trainer {
  public let recipe: Recipe
  public let resources: Resources
  public let network: Network
  public let data: TrainingData
  public let plan: EpochPlan
  public let executor: Executor
  public let optimizer: Optimizer
  public let learningRates: LearningRateSchedule
  public let reducer: GradientReducer
  public let state: TrainingState
  public let totalSteps: Int
  /// The first digits of the SHA-256 of all kernels and layouts.
  public let planDigest: String

  let world: Communicator
  let vectors: RunVectors
  let method: any TrainingMethod
  /// Whether sums go on beside the backward pass.
  private let overlaps: Bool
  private var metrics: [Double]
  private(set) var times = StepTimes()
  var turns: TurnTimes
  /// Steps after which the method has settled last.
  var settledStep: Int?
  /// Time that this rank loses in each step on purpose.
  public var delay: InjectedDelay?
  /// Where whoever is made before there is a watchdog finds the activity.
  private final class Watched { var activity = Activity() }
  private let watched = Watched()
  /// What a watchdog sees of this rank.
  var activity = Activity() {
    didSet {
      watched.activity = activity
      executor.publishPlace(in: activity.pointer(.detail))
      reducer.publishPlace(in: activity.pointer(.detail))
      vectors.memory?.barrierWaits = { [activity] in activity.enter($0 ? .updatingTogether : .updating) }
    }
  }
  /// Asked once a step, on every rank; if any says yes, all stop after that step.
  public var wantsToStop: () -> Bool = { false }
  /// Of this run's steps. Where it is over, the run ends for all.
  var clock = TrainingClock()

  /// Plans the kernels of a run; local to the rank, so that it can be agreed on before anything collective.
  public static func makeExecutor(
    network: Network, recipe: Recipe, resources: Resources, data: TrainingData, kernels: KernelChoice = KernelChoice()
  ) throws -> Executor {
    var configuration = configuration(network: network, recipe: recipe, resources: resources, data: data)
    configuration.kernelChoice = kernels
    return try classifying { try Executor(configuration) }
  }

  /// What an executor is made from, with kernels chosen by rules.
  static func configuration(
    network: Network, recipe: Recipe, resources: Resources, data: TrainingData
  ) -> Executor.Configuration {
    var configuration = Executor.Configuration(
      network: network, trainingBatchSizes: recipe.programSizes(data.plan(recipe), shards: resources.shards))
    configuration.labelSmoothing = recipe.labelSmoothing
    configuration.precision = recipe.precision
    configuration.evaluationBatchSizes = data.evaluationBlocks(recipe).map(\.count)
    configuration.workers = resources.workers
    configuration.threadsPerShard = resources.threadsPerShard
    configuration.recomputation = recipe.recomputation
    configuration.seed = recipe.seed
    return configuration
  }

  /// Places all memory. Collective.
  ///
  /// - Parameter recipe: with `shards` and `threadsPerShard` as in `resources`.
  public init(
    world: Communicator, recipe: Recipe, resources: Resources, data: TrainingData, executor: Executor,
    sharing: Sharing = Sharing()
  ) throws {
    self.world = world
    self.recipe = recipe
    self.resources = resources
    self.data = data
    self.executor = executor
    network = executor.configuration.network
    let plan = data.plan(recipe)
    self.plan = plan
    totalSteps = recipe.totalSteps(stepsPerEpoch: plan.stepsPerEpoch)
    learningRates = try classifying { try recipe.learningRates(stepsPerEpoch: plan.stepsPerEpoch) }
    planDigest = String(SHA256.hash(Array(executor.planText.utf8)).description.prefix(12))

    let layout = executor.parameterLayout
    let regions = layout.entries.filter(\.parameter.isTrainable).map { entry in
      let isWeight = entry.parameter.isWeight
      return ParameterRegion(
        name: entry.parameter.name, elements: entry.range, decays: isWeight || recipe.decaysAll,
        adapts: isWeight || recipe.isPaperLARS)
    }
    optimizer = try recipe.makeOptimizer(UpdateLayout(regions))
    let buckets = packBuckets(parameterSizes: layout.extents, capacity: recipe.bucketBytes).map(\.elements)
    let placement = resources.placement
    vectors = try RunVectors(
      world, placement, layout, optimizer, recipe.allReduce, buckets: buckets.count, sharing,
      try recipe.needs(optimizer))
    state = vectors.state
    let parts = buckets.map { [vectors, optimizer] in vectors.part(of: $0, optimizer.layout) }
    let sums = try recipe.method.isAsynchronous ? ReducerPlace(aloneOn: world) : ReducerPlace(world, placement, buckets)
    reducer = try GradientReducer(
      communicator: sums.ranks, placement: sums.placement, buckets: sums.buckets, algorithm: recipe.allReduce,
      shardsPerGroup: recipe.shardsPerGroup,
      contributions: (recipe.method.isAsynchronous ? [vectors.gradient] : vectors.shardGradients).map {
        UnsafePointer($0.pointer)
      },
      result: vectors.sharing == nil ? vectors.gradient.pointer : nil, memory: vectors.memory,
      slices: parts.map(\.elements))
    let mayOverlap = world.size > 1 && recipe.allReduce.isReproducible && recipe.usesReducer
    let wantsOverlap = try sharing.overlap == .on || (sharing.overlap == .auto && world.nodeCount() > 1)
    overlaps = mayOverlap && wantsOverlap
    method = try recipe.makeMethod(
      world, placement, reducer, vectors, optimizer,
      overlap: overlaps ? OverlappedSum(reducer, executor) : nil, stepsPerEpoch: plan.stepsPerEpoch,
      activity: { [watched] in watched.activity })
    metrics = [Double](repeating: 0, count: 6 * resources.shards)
    turns = TurnTimes(ranks: world.size)
  }

  /// Who takes part in sums of gradients: all ranks, or beside parameter servers nobody.
  private struct ReducerPlace {
    let ranks: Communicator
    let placement: Placement
    let buckets: [Range<Int>]

    init(_ ranks: Communicator, _ placement: Placement, _ buckets: [Range<Int>]) {
      (self.ranks, self.placement, self.buckets) = (ranks, placement, buckets)
    }

    /// Collective.
    init(aloneOn world: Communicator) throws {
      self.init(try world.split(color: world.rank) ?? world, Placement(shards: 1, ranks: 1), [])
    }
  }

  /// What the sum goes over, as " over shared memory"; empty where nobody but this rank takes part, or the library decides.
  var transport: String {
    if resources.placement.ranks == 1 || !recipe.allReduce.isReproducible { return "" }
    let beside = overlaps ? ", beside the backward pass" : ""
    guard let memory = vectors.memory else {
      return " over messages" + (vectors.obstacle.map { " (\($0))" } ?? "") + beside
    }
    return (memory.nodes.count > 1 ? " over shared memory and messages" : " over shared memory")
      + (vectors.sharing == nil ? "" : ", update in parts") + beside
  }

  /// Gives every rank the start of rank 0: parameters from the seed, or whatever state `load` puts in their place.
  /// Collective; `load` is called on rank 0, with the vectors of all shards.
  public func start(load: (TrainingState) throws -> Void = { _ in }) throws {
    try checkSchedulesAreEqual()
    if world.rank > 0 { activity.enter(.waitingForFirst) }
    let whole = try world.agree { () -> TrainingState? in
      guard world.rank == 0 else { return nil }
      try executor.parameterLayout.initialize(
        state.parameters.pointer, seed: recipe.seed, zeroingResiduals: recipe.zeroesResiduals)
      let whole = try state.whole(shards: resources.shards)
      try load(whole)
      state.position = whole.position
      return whole
    }
    if let ranks = vectors.replicas(world) {
      try ranks.broadcast(state.parameters.values)
      for vector in state.slots + state.commonVectors { try ranks.broadcast(vector.values) }
    }
    vectors.memory?.barrier()
    var position = [state.position.step]
    try world.broadcast(&position)
    state.position = Position(step: position[0])
    if position[0] > 0 { try distributeShardVectors(of: whole) } else { method.startShards() }
    try method.prepare()
    try checkParametersAreEqual("at the start")
  }

  /// Reads the batches of the run from its position on.
  func makeReader() throws -> BatchReader {
    let (epoch, step) = plan.position(globalStep: state.position.step)
    return try classifying {
      try BatchReader(
        source: data.train, plan: plan, normalisation: data.normalisation,
        augmentation: Augmentation(recipe.augmentation, seed: recipe.seed),
        shards: resources.placement.shards(of: world.rank), of: resources.shards, epoch: epoch, step: step)
    }
  }

  /// One step: batch, gradients of the hosted shards, what the method makes of them.
  ///
  /// - Parameters:
  ///   - recordsGradients: whether the result has the digests of the shards' gradients; sums then begin after them.
  ///   - meets: whether ranks tell each other losses and wishes. Else they may be out of step afterwards.
  func step(
    _ batches: some BatchSource, measuringNorm: Bool, recordsGradients: Bool = false, wantsToSave: Bool = false,
    meets: Bool = true
  ) throws -> StepResult {
    activity[.step] = UInt64(state.position.step)
    enter(.data)
    let batch = try classifying { try batches.next() }

    enter(.compute)
    let step = UpdateStep(state.position.step, of: learningRates)
    let work = work(batch)
    let sums = try executor.computeGradients(
      parameters: state.parameters.pointer, work, beside: recordsGradients ? nil : method.companion(at: step))
    delay?.wait(rank: world.rank, turn: state.position.step)
    times.hide(method.takeHidden())
    let digests = recordsGradients ? try gradientDigests() : nil

    let samples = BatchSamples(hosted: batch.shards.map(\.count), global: batch.sampleCount)
    try method.exchange(at: step, samples, measuringNorm: measuringNorm) { enter($0) }
    var total: Total?
    if meets {
      enter(.communication)
      activity.enter(.exchanging)
      total = try self.total(sums, Wishes(stop: wantsToStop(), save: wantsToSave, finish: clock.isOver))
    }
    let wishes = total?.wishes ?? Wishes()

    enter(.update)
    let norm = method.update(at: step, measuringNorm: measuringNorm || wishes.finish) ?? total?.norm ?? .nan
    enter(nil)
    turns.end(times)

    state.position.step += 1
    if state.position.step == method.synchronousSteps { turns.forget() }
    return StepResult(
      steps: 1, epoch: batch.epoch, samples: batch.sampleCount,
      loss: total.map { $0.loss / Double(batch.sampleCount) }, correct: total?.correct ?? 0,
      gradientNorm: measuringNorm || wishes.finish ? norm : .nan, learningRate: step.learningRate, wishes: wishes,
      gradientDigests: digests)
  }

  /// From now on times are booked anew.
  func restartTimes() {
    times = StepTimes()
    turns.restart()
  }

  /// The phase of a step in the times and for the watchdog.
  func enter(_ phase: StepTimes.Phase?) {
    times.enter(phase)
    switch phase {
    case .data: activity.enter(.takingBatch)
    case .compute: activity.enter(.computing)
    case .communication: activity.enter(.summing)
    case .update: activity.enter(.updating)
    case .saving: activity.enter(.saving)
    case nil: activity.enter(.betweenSteps)
    }
  }

  /// What a rank wants to be done after a step, where all do it.
  struct Wishes: Hashable {
    var stop = false
    var save = false
    /// To end the run here, as if it had no further steps.
    var finish = false
  }

  /// Of a step, or of the steps of a segment.
  struct StepResult {
    let steps: Int
    let epoch: Int
    let samples: Int
    /// Nil where ranks did not meet.
    let loss: Double?
    let correct: Int
    /// Not a number where it was not asked for.
    let gradientNorm: Double
    let learningRate: Double
    /// Of all ranks.
    let wishes: Wishes
    /// Of each shard's gradient before the sum, where it was asked for.
    let gradientDigests: [String]?
  }

  /// Of all shards, and what any rank wishes.
  private struct Total {
    let loss: Double
    let correct: Int
    let wishes: Wishes
    let norm: Double
  }

  private func work(_ batch: GlobalBatch) -> [Executor.ShardWork] {
    let takesOwnMean = method.takesOwnMean(at: state.position.step)
    return batch.shards.enumerated().map { index, shard in
      var work = Executor.ShardWork(
        images: shard.images, labels: shard.labels, sampleIDs: shard.ids, batches: recipe.microBatches(shard.count),
        gradients: vectors.shardGradients[index].pointer, globalBatch: takesOwnMean ? shard.count : batch.sampleCount,
        epoch: batch.epoch, step: batch.step)
      work.parameters = method.parameters(ofHosted: index)
      return work
    }
  }

  /// Losses added in shard order, so that the sum has the same bits everywhere (numerics contract, rule 6); with them
  /// go each rank's wishes, so that all ranks stop and save after the same step.
  private func total(_ sums: [LossSums], _ wishes: Wishes) throws -> Total {
    let width = 6
    for (index, shard) in resources.placement.shards(of: world.rank).enumerated() {
      let norm = method.squaredNorms.isEmpty ? 0 : method.squaredNorms[index]
      metrics.replaceSubrange(
        width * shard..<width * (shard + 1),
        with: [
          sums[index].loss, Double(sums[index].correct), norm, wishes.stop ? 1 : 0, wishes.save ? 1 : 0,
          wishes.finish ? 1 : 0,
        ])
    }
    try world.allGatherShardValues(&metrics, placement: resources.placement)
    var total = [Double](repeating: 0, count: width)
    for shard in 0..<resources.shards {
      for value in 0..<width { total[value] += metrics[width * shard + value] }
    }
    return Total(
      loss: total[0], correct: Int(total[1]),
      wishes: Wishes(stop: total[3] > 0, save: total[4] > 0, finish: total[5] > 0),
      norm: (total[2] / Double(resources.shards)).squareRoot())
  }
}
