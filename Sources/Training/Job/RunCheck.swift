import Collectives
import Datasets
import Engine
import Foundation
import MPI
import Optimizers

/// All that can be found out about a run without training: what the command `check` is, as a value.
///
/// Making one goes through a job's start step by step and throws what `train` would throw.
public struct RunCheck: Sendable {
  public let recipe: Recipe
  public let resources: Resources
  /// The name of each rank's host.
  public let hosts: [String]
  /// Seconds of a barrier and of summing 4 MiB over all ranks; the slowest rank's.
  public let barrierSeconds: Double
  public let allReduceSeconds: Double
  public let data: Data
  public let plan: EpochPlan
  public let totalSteps: Int
  /// Distinct sizes of the batches that kernels are made for, largest first.
  public let programSizes: [Int]
  /// Ids of the first samples that each shard takes of the first batch.
  public let firstSamples: [[UInt32]]
  /// Samples that the first epoch leaves out (`--drop-last`); each other one was found in one shard, once.
  public let leftOut: Int
  public let memory: MemoryNeed
  /// Ranks on the fullest node, and what the smallest node lets its ranks use.
  public let ranksOnNode: Int
  public let usableMemory: Int
  /// The run directory, and what is there.
  public let runDirectory: String
  public let existing: Existing

  public enum Existing: Sendable, Hashable {
    case nothing
    case finishedRun
    /// A run to go on with, from a checkpoint if there is one.
    case run(checkpoint: String?)
  }

  /// What was read.
  public struct Data: Sendable {
    public let name: String
    public let shape: String
    public let classes: Int
    public let train: Int
    public let evaluation: Int
    public let evaluatesHeldOut: Bool
    public let digest: UInt64
    public let seconds: Double
  }

  /// Goes through the start of a job. Collective.
  public init(_ job: TrainingJob, _ world: Communicator) throws {
    var recipe = job.recipe
    try job.checkEqual(on: world)
    let checkpoint: Checkpoint?
    (runDirectory, existing, checkpoint) = try world.agree {
      // Only rank 0 writes.
      try world.rank == 0 ? Self.look(job) : ("", .nothing, nil)
    }
    let stored = checkpoint?.manifest.placement
    var placement = [stored?.shards ?? 0, stored?.threads ?? 0]
    try world.broadcast(&placement)
    let resources = try recipe.resources(
      on: world, shards: recipe.shards ?? (placement[0] > 0 ? placement[0] : nil),
      threads: recipe.threadsPerShard ?? (placement[1] > 0 ? placement[1] : nil))
    try world.agree { try job.delay?.check(ranks: world.size - recipe.serverRanks) }
    (recipe.shards, recipe.threadsPerShard) = (resources.shards, resources.threadsPerShard)
    try Fingerprint.ofThisMachine().checkEqual(on: world)
    hosts = try world.allGather(MPILibrary.processorName)
    (barrierSeconds, allReduceSeconds) = try Self.reach(world)

    let begin = Date()
    let data = try world.agree { try TrainingData(recipe, directory: job.inputs.dataDirectory) }
    self.data = Data(
      name: data.name, shape: data.train.shape.description, classes: data.classCount, train: data.train.count,
      evaluation: data.evaluation.count, evaluatesHeldOut: data.evaluatesHeldOut, digest: data.digest,
      seconds: Date().timeIntervalSince(begin))
    try data.checkEqual(on: world)
    try world.agree {
      try recipe.check(against: data)
      if recipe.zeroesResiduals { try (job.network ?? data.network(recipe)).checkResidualBranches() }
    }
    let plan = data.plan(recipe)
    try world.agree {
      guard let checkpoint else { return }
      let configuration = recipe.withWarmup(stepsPerEpoch: plan.stepsPerEpoch).configurationText(job.inputs)
      _ = try RunSession.changes(since: checkpoint, configuration, data, job.allowedChanges)
    }
    (leftOut, firstSamples) = try Self.shareOut(data, plan, resources, world)

    let sizes = recipe.programSizes(plan, shards: resources.shards)
    let kernels = try world.agree { try Self.planned(job, recipe, data, resources) }
    let optimizer = try recipe.makeOptimizer(UpdateLayout([]))
    let slots = optimizer.slots.count
    let needs = try recipe.needs(optimizer)
    let cores = Cores.ofNode().count
    memory = MemoryNeed(
      kernels: kernels, slots: slots, needs: needs, recipe: recipe, data: data, resources: resources,
      cores: try world.allReduce(cores, .maximum), sharing: job.sharing)
    ranksOnNode = try world.allReduce(resources.ranksOnNode, .maximum)
    usableMemory = try world.allReduce(NodeMemory.ofNode().usable, .minimum)
    if job.inputs.parameters != nil {
      try world.agree { try TrainingState(layout: kernels.parameterLayout, slotNames: []).readStart(job.inputs) }
    }
    self.recipe = recipe
    self.resources = resources
    self.plan = plan
    programSizes = sizes
    totalSteps = recipe.totalSteps(stepsPerEpoch: plan.stepsPerEpoch)
  }

  public var ranks: Int { resources.placement.ranks }

  /// Whether the memory of every node is enough.
  public var fits: Bool {
    ranksOnNode * memory.rank(of: ranks, ranksOnNode: ranksOnNode).total <= usableMemory
  }

  /// The smallest number of ranks that fits, with no more on a node than now; nil if none does.
  public var fewestRanks: Int? { memory.fewestRanks(ranksOnNode: ranksOnNode, usable: usableMemory) }
}
