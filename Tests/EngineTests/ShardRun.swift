import Engine
import Networks

/// A global batch cut into shards, run through an executor: what each shard leaves behind, by parameter.
struct ShardRun {
  /// For each shard the gradients (or contributions to running statistics) in the standard layout.
  var gradients: [[String: [Float]]]
  /// The flat vectors, padding included.
  var vectors: [[Float]]
  var sums: [LossSums]

  /// Runs `shards[s]`, the sizes of shard s's micro-batches, over consecutive samples of one batch.
  ///
  /// Images, labels and ids are functions of the sample's place in the global batch, so that the same batch can be cut
  /// in different ways.
  init(_ executor: Executor, parameters: FloatBuffer, shards: [[Int]]) throws {
    let network = executor.configuration.network
    let count = shards.joined().reduce(0, +)
    let size = network.input.count
    let images = (0..<count * size).map { Float(($0 / size * 7919 + $0 % size * 31) % 97) / 48 - 1 }
    let labels = (0..<count).map { Int32($0 * 5 % network.classes) }
    let ids = (0..<count).map { UInt32($0 * 3) }
    let buffers = try shards.map { _ in
      let buffer = try FloatBuffer(count: executor.parameterLayout.count)
      // What a kernel leaves out must show; the padding of blocked layouts starts as zero, and so stays.
      for entry in executor.parameterLayout.entries where entry.range.count == entry.parameter.count {
        buffer.values[entry.range].update(repeating: .nan)
      }
      return buffer
    }
    sums = try images.withUnsafeBufferPointer { images in
      try labels.withUnsafeBufferPointer { labels in
        try ids.withUnsafeBufferPointer { ids in
          var first = 0
          let work = zip(shards, buffers).compactMap { batches, buffer -> Executor.ShardWork? in
            defer { first += batches.reduce(0, +) }
            guard let image = images.baseAddress, let label = labels.baseAddress, let id = ids.baseAddress else {
              return nil
            }
            return Executor.ShardWork(
              images: image + first * size, labels: label + first, sampleIDs: id + first, batches: batches,
              gradients: buffer.pointer, globalBatch: count, epoch: 2, step: 3)
          }
          return try executor.computeGradients(parameters: parameters.pointer, work)
        }
      }
    }
    vectors = buffers.map { Array($0.values) }
    gradients = try buffers.map { buffer in
      try Dictionary(
        uniqueKeysWithValues: executor.parameterLayout.entries.map {
          ($0.parameter.name, try executor.parameterLayout.standardValues(of: $0, in: buffer.pointer))
        })
    }
  }

  /// Makes an executor for these cuts and runs them from the start values of a seed.
  init(
    _ network: Network, shards: [[Int]], workers: Int = 1, threads: Int = 1, labelSmoothing: Float = 0,
    kernelChoice: KernelChoice = KernelChoice(), precision: Precision = .float32,
    recomputation: Recomputation = .none
  ) throws {
    var configuration = Executor.Configuration(
      network: network, trainingBatchSizes: Array(Set(shards.joined())).sorted())
    configuration.workers = workers
    configuration.threadsPerShard = threads
    configuration.labelSmoothing = labelSmoothing
    configuration.kernelChoice = kernelChoice
    configuration.precision = precision
    configuration.recomputation = recomputation
    configuration.seed = 9
    let executor = try Executor(configuration)
    let parameters = try FloatBuffer(count: executor.parameterLayout.count)
    try executor.parameterLayout.initialize(parameters.pointer, seed: 4)
    try self.init(executor, parameters: parameters, shards: shards)
  }

  /// Bits of everything, in an order of their own.
  var bits: [UInt64] {
    vectors.joined().map { UInt64($0.bitPattern) } + sums.flatMap { [$0.loss.bitPattern, UInt64($0.correct)] }
  }

  /// The gradients of the global batch: the shards' sum in float64.
  var total: [String: [Double]] {
    var total: [String: [Double]] = [:]
    for shard in gradients {
      for (name, values) in shard {
        let sum = total[name] ?? [Double](repeating: 0, count: values.count)
        total[name] = zip(sum, values).map { $0 + Double($1) }
      }
    }
    return total
  }

  /// The largest ‖here − there‖₂ ÷ ‖there‖₂ over the parameters.
  func distance(from other: ShardRun) -> Double {
    let (here, there) = (total, other.total)
    return there.reduce(0) { largest, entry in
      let (name, values) = entry
      let error = zip(values, here[name] ?? []).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let norm = values.reduce(0) { $0 + $1 * $1 }
      return max(largest, (error / max(norm, 1e-20)).squareRoot())
    }
  }
}
