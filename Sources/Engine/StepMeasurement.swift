import Networks

/// Times the instructions of a plan: gradients of the largest training batch over zeros, on one worker.
public final class StepMeasurement {
  private let executor: Executor
  private let parameters, gradients, images: FloatBuffer
  private let labels: [Int32]
  private var count = 0

  /// Takes the memory of a step: arena, parameters, gradients, a batch.
  public init(_ configuration: Executor.Configuration) throws {
    let batch = configuration.trainingBatchSizes.max() ?? 1
    var configuration = configuration
    configuration.workers = 1
    configuration.evaluationBatchSizes = []
    configuration.trainingBatchSizes = [batch]
    executor = try Executor(configuration)
    parameters = try FloatBuffer(count: executor.parameterLayout.count)
    gradients = try FloatBuffer(count: executor.parameterLayout.count)
    images = try FloatBuffer(count: batch * configuration.network.input.count)
    labels = [Int32](repeating: 0, count: batch)
    try executor.parameterLayout.initialize(parameters.pointer, seed: 1)
  }

  /// By the text of an operation that had a choice of kernels, where it stands.
  var choices: [String: Set<Plan.Place>] { executor.choices }

  /// One line an instruction, in the order of `step`.
  public var planText: [Substring] { Array(executor.planText.split(separator: "\n").dropFirst()) }

  /// The milliseconds of each instruction of one more run.
  public func step() throws -> [(operation: String, layer: String, milliseconds: Double)] {
    let ids = labels.indices.map(UInt32.init)
    executor.startProfile()
    try labels.withUnsafeBufferPointer { labels in
      try ids.withUnsafeBufferPointer { ids in
        guard let label = labels.baseAddress, let id = ids.baseAddress else { return }
        _ = try executor.computeGradients(
          parameters: parameters.pointer,
          [
            Executor.ShardWork(
              images: images.pointer, labels: label, sampleIDs: id, batches: [labels.count],
              gradients: gradients.pointer, globalBatch: labels.count, epoch: 0, step: count)
          ])
      }
    }
    count += 1
    return executor.profile()
  }

  /// The least milliseconds of each instruction over three runs, after one that meets cold memory.
  public func leastTimes() throws -> [(operation: String, layer: String, milliseconds: Double)] {
    _ = try step()
    var least = try step()
    for _ in 0..<2 {
      for (index, row) in try step().enumerated() {
        least[index].milliseconds = min(least[index].milliseconds, row.milliseconds)
      }
    }
    return least
  }
}
