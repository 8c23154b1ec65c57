import Collectives
import Datasets
import Engine
import Foundation
import MPI
import Models
import Networks
import Optimizers
import TensorFiles

/// Synchronous data-parallel training of one run.
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
  private var update: LocalUpdate
  let vectors: RunVectors
  /// Nil where sums wait for the whole backward pass.
  private let overlap: OverlappedSum?
  private let updated: UpdateVectors
  /// Those that this rank updates.
  private let runningStatistics: [ParameterLayout.Entry]
  private var metrics: [Double]
  var times = StepTimes()
  /// What a watchdog sees of this rank.
  var activity = Activity() {
    didSet {
      executor.publishPlace(in: activity.pointer(.detail))
      reducer.publishPlace(in: activity.pointer(.detail))
      vectors.memory?.barrierWaits = { [activity] in activity.enter($0 ? .exchanging : .updating) }
    }
  }
  /// Asked once a step, on every rank; if any says yes, all stop after that step.
  public var wantsToStop: () -> Bool = { false }
  /// Of this run's steps. Where it is over, the run ends for all.
  var clock = TrainingClock()
  /// `RunTotals.gradientBytes` of one step.
  private(set) lazy var gradientBytesPerStep = reducer.modelledBytes

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
        name: entry.parameter.name, elements: entry.range, decays: isWeight || recipe.decaysAll, adapts: isWeight)
    }
    optimizer = Optimizer(UpdateLayout(regions), try classifying { try recipe.transformations() })
    let buckets = packBuckets(parameterSizes: layout.extents, capacity: recipe.bucketBytes).map(\.elements)
    vectors = try RunVectors(
      world, resources.placement, layout, optimizer, recipe.allReduce, buckets: buckets.count, sharing)
    state = vectors.state
    updated = UpdateVectors(
      parameters: state.parameters.pointer, gradient: vectors.gradient.pointer, slots: state.slots.map(\.pointer))
    let parts = buckets.map { [vectors, optimizer] in vectors.part(of: $0, optimizer.layout) }
    update = LocalUpdate(optimizer, stages: parts.map(\.blocks), sharing: vectors.sharing)
    reducer = try GradientReducer(
      communicator: world, placement: resources.placement, buckets: buckets, algorithm: recipe.allReduce,
      shardsPerGroup: recipe.shardsPerGroup,
      contributions: vectors.shardGradients.map { UnsafePointer($0.pointer) },
      result: vectors.sharing == nil ? vectors.gradient.pointer : nil, memory: vectors.memory,
      slices: parts.map(\.elements))
    let own = parts.map(\.elements)
    runningStatistics = layout.entries.filter { entry in
      !entry.parameter.isTrainable && own.contains { $0.contains(entry.range.lowerBound) }
    }
    let overlaps = try sharing.overlap == .on || (sharing.overlap == .auto && world.nodeCount() > 1)
    let isPossible = world.size > 1 && recipe.allReduce.isReproducible
    overlap = overlaps && isPossible ? OverlappedSum(reducer, executor) : nil
    metrics = [Double](repeating: 0, count: 3 * resources.shards)
  }

  /// What the sum goes over, as " over shared memory"; empty where nobody but this rank takes part, or the library decides.
  var transport: String {
    if resources.placement.ranks == 1 || !recipe.allReduce.isReproducible { return "" }
    let beside = overlap == nil ? "" : ", beside the backward pass"
    guard let memory = vectors.memory else {
      return " over messages" + (vectors.obstacle.map { " (\($0))" } ?? "") + beside
    }
    return (memory.nodes.count > 1 ? " over shared memory and messages" : " over shared memory")
      + (vectors.sharing == nil ? "" : ", update in parts") + beside
  }

  /// Gives every rank the start of rank 0: parameters from the seed, or whatever state `load` puts in their place.
  /// Collective; `load` is called on rank 0.
  public func start(load: (TrainingState) throws -> Void = { _ in }) throws {
    try checkSchedulesAreEqual()
    try world.agree {
      if world.rank == 0 {
        try executor.parameterLayout.initialize(state.parameters.pointer, seed: recipe.seed)
        try load(state)
      }
    }
    if let ranks = vectors.replicas(world) {
      try ranks.broadcast(state.parameters.values)
      for slot in state.slots { try ranks.broadcast(slot.values) }
    }
    vectors.memory?.barrier()
    var position = [state.position.step]
    try world.broadcast(&position)
    state.position = Position(step: position[0])
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

  /// One synchronous step: batch, gradients of the hosted shards, sum over all shards, update: of each bucket as soon as its
  /// sum is there, where the optimizer allows it.
  ///
  /// - Parameter recordsGradients: whether the result has the digests of the shards' gradients; sums then begin after them.
  func step(
    _ batches: some BatchSource, measuringNorm: Bool, recordsGradients: Bool = false
  ) throws -> StepResult {
    activity[.step] = UInt64(state.position.step)
    enter(.data)
    let batch = try classifying { try batches.next() }

    enter(.compute)
    let rate = UpdateStep(state.position.step, of: learningRates)
    let sums = try executor.computeGradients(
      parameters: state.parameters.pointer, work(batch),
      beside: recordsGradients
        ? nil : overlap?.companion { [unowned self] in update.begin(stages: $0, updated, at: rate) })
    times.hide(overlap?.takeHidden() ?? 0)
    let digests = recordsGradients ? try gradientDigests() : nil

    enter(.communication)
    try reducer.finish { finished in
      enter(.update)
      update.begin(stages: finished, updated, at: rate)
      enter(.communication)
    }
    activity.enter(.exchanging)
    let total = try total(sums)

    enter(.update)
    updateRunningStatistics()
    // Ends when all ranks that share the vectors are done.
    let norm = update.step(updated, at: rate, measuringNorm: measuringNorm || total.wish == .finish)
    enter(nil)

    state.position.step += 1
    return StepResult(
      batch: batch, loss: total.loss / Double(batch.sampleCount), correct: total.correct, gradientNorm: norm ?? .nan,
      learningRate: rate.learningRate, wish: total.wish, gradientDigests: digests)
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

  struct StepResult {
    let batch: GlobalBatch
    let loss: Double
    let correct: Int
    /// Not a number where it was not asked for.
    let gradientNorm: Double
    let learningRate: Double
    /// The greatest of all ranks when this step's sums were exchanged.
    let wish: StopWish
    /// Of each shard's gradient before the sum, where it was asked for.
    let gradientDigests: [String]?
  }

  private func work(_ batch: GlobalBatch) -> [Executor.ShardWork] {
    zip(batch.shards, vectors.shardGradients).map { shard, gradients in
      Executor.ShardWork(
        images: shard.images, labels: shard.labels, sampleIDs: shard.ids, batches: recipe.microBatches(shard.count),
        gradients: gradients.pointer, globalBatch: batch.sampleCount, epoch: batch.epoch, step: batch.step)
    }
  }

  /// Losses added in shard order, so that the sum has the same bits everywhere (numerics contract, rule 6); with them
  /// goes each rank's wish to stop, so that all ranks stop after the same step.
  private func total(_ sums: [LossSums]) throws -> (loss: Double, correct: Int, wish: StopWish) {
    let wish: StopWish = clock.isOver ? .finish : wantsToStop() ? .save : .goOn
    for (shard, sum) in zip(resources.placement.shards(of: world.rank), sums) {
      metrics[3 * shard] = sum.loss
      metrics[3 * shard + 1] = Double(sum.correct)
      metrics[3 * shard + 2] = Double(wish.rawValue)
    }
    try world.allGatherShardValues(&metrics, placement: resources.placement)
    var total = (loss: 0.0, correct: 0.0, wish: 0.0)
    for shard in 0..<resources.shards {
      total.loss += metrics[3 * shard]
      total.correct += metrics[3 * shard + 1]
      total.wish = max(total.wish, metrics[3 * shard + 2])
    }
    return (total.loss, Int(total.correct), StopWish(rawValue: Int(total.wish)) ?? .goOn)
  }

  private func updateRunningStatistics() {
    for entry in runningStatistics {
      updateRunningStatistic(
        UnsafeMutableBufferPointer(rebasing: state.parameters.values[entry.range]),
        towards: UnsafeBufferPointer(rebasing: vectors.gradient.values[entry.range]), momentum: entry.parameter.momentum
      )
    }
  }
}
