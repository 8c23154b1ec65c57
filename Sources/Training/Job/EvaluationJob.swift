import Engine
import Foundation
import MPI

/// Parameters once over an evaluation set: what the command `evaluate` is, as a value.
///
/// It computes with the layouts and the threads of the run that the recipe belongs to, so on the same kind of machine the
/// result has the bits of that run's own evaluation, on any number of ranks.
public struct EvaluationJob: Sendable {
  /// With `shards` and `threadsPerShard` as the run had them.
  public var recipe: Recipe
  public var dataDirectory: String?

  public init(_ recipe: Recipe, dataDirectory: String?) {
    (self.recipe, self.dataDirectory) = (recipe, dataDirectory)
  }

  public struct Report: Codable, Sendable {
    public var model: String
    public var dataset: String
    /// `test`, or `held out` for a part of the training set.
    public var set: String
    /// What held the parameters.
    public var path: String
    public var correct: Int
    public var total: Int
    public var accuracy: Double
    /// Mean loss.
    public var loss: Double
    public var seconds: Double
  }

  /// Collective.
  ///
  /// - Parameter stored: what rank 0 loads; nil elsewhere.
  public func run(_ world: Communicator, _ stored: StoredRun?) throws -> Report {
    try Fingerprint.ofThisMachine().checkEqual(on: world)
    let data = try world.agree {
      let data = try TrainingData(recipe, directory: dataDirectory)
      try recipe.check(against: data)
      return data
    }
    try data.checkEqual(on: world)
    // Ranks share out blocks here, as they share out shards in training.
    let blocks = data.evaluationBlocks(recipe)
    let resources = try Resources(
      world: world, shards: max(blocks.count, world.size), threadsPerShard: recipe.threadsPerShard)
    // Parameters from elsewhere have no plan that was measured for them.
    let kernels = try recipe.planSource.resolve(on: world, stored: stored?.plan) { KernelChoice(.rules) }
    let executor = try world.agree {
      let shards = recipe.shards ?? world.size
      var configuration = Executor.Configuration(
        network: data.network(recipe), trainingBatchSizes: recipe.programSizes(data.plan(recipe), shards: shards))
      configuration.kernelChoice = kernels.choice
      configuration.precision = recipe.precision
      configuration.trains = false
      configuration.evaluationBatchSizes = blocks.map(\.count)
      configuration.workers = resources.workers
      configuration.threadsPerShard = resources.threadsPerShard
      return try classifying { try Executor(configuration) }
    }
    let state = try TrainingState(layout: executor.parameterLayout, slotNames: [])
    try world.agree {
      guard world.rank == 0, let stored else { return }
      // Running statistics may be missing in a file from elsewhere.
      try state.layout.initialize(state.parameters.pointer, seed: recipe.seed)
      try stored.load(into: state)
    }
    try world.broadcast(state.parameters.values)

    let begin = DispatchTime.now().uptimeNanoseconds
    let sums = try Evaluator(world: world, recipe: recipe, data: data, executor: executor).run(state.parameters.pointer)
    let total = data.evaluation.count
    return Report(
      model: executor.configuration.network.name, dataset: data.name, set: data.evaluatesHeldOut ? "held out" : "test",
      path: stored?.path ?? "", correct: sums.correct, total: total,
      accuracy: total == 0 ? 0 : Double(sums.correct) / Double(total), loss: sums.loss / Double(max(total, 1)),
      seconds: Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9)
  }
}
