import Collectives
import Datasets
import Engine
import Foundation
import MPI
import Models
import Networks

/// Times whole training steps over one batch in memory: forward, loss, backward, all-reduce, update.
///
///     3 steps                 warm-up, not counted
///     `steps` steps           timed as a whole
///     3 to 10 steps           timed operation by operation
///
/// The peak rate of the processors is measured before, between and after, because others may use them meanwhile.
public struct StepBenchmark: Sendable {
  /// What differs from a recipe's defaults; data, length and schedule are the benchmark's.
  public var recipe: Recipe
  public var input: ImageShape
  public var classes = 10
  public var steps = 20
  public var sharing = Sharing()

  static let warmUpSteps = 3

  public init(_ recipe: Recipe, input: ImageShape) { (self.recipe, self.input) = (recipe, input) }

  /// The figures, with the names that files have in JSON.
  public struct Report: Codable, Sendable {
    public var model: String
    public var input: String
    public var classes: Int
    /// Of the global batch.
    public var batchSize: Int
    public var ranks: Int
    public var shards: Int
    public var threadsPerShard: Int
    public var steps: Int
    /// Activations and kernels' scratch memory of one worker.
    public var arenaBytes: Int
    /// From the first line of the benchmark until a step could begin: plan, generated code, memory, start values.
    public var startSeconds: Double
    public var stepMillisecondsBest: Double
    public var stepMillisecondsMedian: Double
    public var samplesPerSecondBest: Double
    public var samplesPerSecondMedian: Double
    /// Of one step, by operation, on the first worker of rank 0; with `all-reduce` and `update`.
    public var milliseconds: [String: Double]
    /// The same, by layer, longest first.
    public var layers: [Layer]
    /// Of the job in its best step, as the peak is the best of several runs: two operations for each multiply-add of
    /// forward, backward-data and backward-weights of convolutions and inner products; the first of them has no
    /// backward-data.
    public var gflops: Double
    /// What all threads of the job reach together with multiply-adds in registers.
    public var peakGflops: Double
    public var shareOfPeak: Double
    /// The first digits of the SHA-256 of all kernels and layouts.
    public var plan: String
    public var fingerprint: String

    public struct Layer: Codable, Sendable {
      public var operation: String
      public var layer: String
      public var milliseconds: Double
      /// Of convolutions and inner products: two operations for each multiply-add.
      public var gflops: Double?
    }
  }

  /// What is written to a file: a report, and with it, as `compared`, that of the same steps with other kernels.
  public struct Figures: Encodable, Sendable {
    public var report: Report
    public var compared: Report?

    public init(_ report: Report, compared: Report? = nil) { (self.report, self.compared) = (report, compared) }

    private enum CodingKeys: CodingKey { case compared }

    public func encode(to encoder: any Encoder) throws {
      try report.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeIfPresent(compared, forKey: .compared)
    }
  }

  /// Collective. Equal reports on all ranks but for times, which are each rank's own.
  public func run(_ world: Communicator) throws -> Report {
    let begin = DispatchTime.now().uptimeNanoseconds
    var recipe = recipe
    recipe.dataset = .synthetic
    recipe.synthetic = SyntheticImages(
      shape: input, classCount: classes, trainCount: recipe.batchSize, testCount: 1)
    (recipe.schedule, recipe.warmupEpochs) = (.constant, 0)
    recipe.learningRate = 1e-3
    recipe.length = .steps(1)
    let resources = try Resources(world: world, shards: recipe.shards, threadsPerShard: recipe.threadsPerShard)
    (recipe.shards, recipe.threadsPerShard) = (resources.shards, resources.threadsPerShard)
    try Fingerprint.ofThisMachine().checkEqual(on: world)
    let data = try world.agree {
      let data = try TrainingData(recipe, directory: nil)
      try recipe.check(against: data)
      return data
    }
    let network = data.network(recipe)
    let kernels = try recipe.planSource.resolve(on: world, stored: nil) {
      try .measured(Trainer.configuration(network: network, recipe: recipe, resources: resources, data: data))
    }
    let executor = try world.agree {
      try Trainer.makeExecutor(
        network: network, recipe: recipe, resources: resources, data: data, kernels: kernels.choice)
    }
    let trainer = try Trainer(
      world: world, recipe: recipe, resources: resources, data: data, executor: executor, sharing: sharing)
    try trainer.start()
    let startSeconds = Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9

    let batches = try RepeatedBatch(try trainer.makeReader())
    let threads = resources.workers * resources.threadsPerShard
    func peakRate() throws -> Double {
      try world.barrier()
      return try world.allReduce(measurePeakRate(threads: threads), .sum)
    }
    var peak = try peakRate()
    for _ in 0..<Self.warmUpSteps { _ = try trainer.step(batches, measuringNorm: false) }
    try world.barrier()
    trainer.restartTimes()
    var milliseconds: [Double] = []
    for _ in 0..<steps {
      let begin = DispatchTime.now().uptimeNanoseconds
      _ = try trainer.step(batches, measuringNorm: false)
      milliseconds.append(Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e6)
    }
    let times = trainer.times
    peak = max(peak, try peakRate())
    let layers = try profile(trainer, batches)
    peak = max(peak, try peakRate())
    return report(trainer, world, startSeconds, Statistics(milliseconds), times, layers, peak: peak)
  }

  /// Steps after the timed ones, because to look at the clock around every operation costs a little.
  private func profile(_ trainer: Trainer, _ batches: RepeatedBatch) throws -> [Report.Layer] {
    let count = min(max(steps, 3), 10)
    trainer.executor.startProfile()
    for _ in 0..<count { _ = try trainer.step(batches, measuringNorm: false) }
    return trainer.executor.profile().map {
      Report.Layer(
        operation: $0.operation, layer: $0.layer, milliseconds: $0.milliseconds / Double(count), gflops: nil)
    }
  }

  private func report(
    _ trainer: Trainer, _ world: Communicator, _ startSeconds: Double, _ step: Statistics, _ times: StepTimes,
    _ layers: [Report.Layer],
    peak: Double
  ) -> Report {
    let (recipe, resources) = (trainer.recipe, trainer.resources)
    func time(_ phase: StepTimes.Phase) -> Double { Double(times[phase]) / 1e6 / Double(steps) }
    var milliseconds = Dictionary(layers.map { ($0.operation, $0.milliseconds) }, uniquingKeysWith: +)
    milliseconds["all-reduce"] = time(.communication)
    milliseconds["update"] = time(.update)
    let summaries = trainer.network.traced(batchSize: 1).layers()
    let share = Double(resources.placement.shards(of: world.rank).count) / Double(resources.shards)
    let rates = OperationRates(
      trainer.network.traced(batchSize: 1),
      samples: Double(recipe.batchSize) * share / Double(max(resources.workers, 1)))
    let layers = layers.map { layer in
      var layer = layer
      layer.gflops = rates.gflops(layer.operation, layer.layer, milliseconds: layer.milliseconds)
      return layer
    }
    let forward = summaries.reduce(0) { $0 + $1.multiplyAdds }
    let first = summaries.first { $0.multiplyAdds > 0 }?.multiplyAdds ?? 0
    let operations = 2 * Double(3 * forward - first) * Double(recipe.batchSize)
    let rate = operations / (step.least * 1e-3)
    return Report(
      model: trainer.network.name, input: input.description, classes: classes, batchSize: recipe.batchSize,
      ranks: world.size, shards: resources.shards, threadsPerShard: resources.threadsPerShard, steps: steps,
      arenaBytes: trainer.executor.arenaBytes, startSeconds: startSeconds,
      stepMillisecondsBest: step.least, stepMillisecondsMedian: step.median,
      samplesPerSecondBest: Double(recipe.batchSize) / step.least * 1e3,
      samplesPerSecondMedian: Double(recipe.batchSize) / step.median * 1e3, milliseconds: milliseconds,
      layers: layers.sorted { $0.milliseconds > $1.milliseconds }, gflops: rate / 1e9, peakGflops: peak / 1e9,
      shareOfPeak: rate / peak, plan: trainer.planDigest, fingerprint: Fingerprint.ofThisMachine().description)
  }
}
