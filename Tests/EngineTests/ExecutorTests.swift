import Engine
import Models
import Networks
import Testing

/// The executor: where a shard runs changes no bit, and how a batch is cut changes nothing but rounding.
@Suite struct ExecutorTests {
  static func network(_ model: ModelName, dropout: Float = 0) -> Network {
    model.network(
      input: model.usualInput.channels == 3 ? .init(3, 8, 8) : .init(1, 12, 12), classes: 10, dropout: dropout)
  }

  @Test(arguments: [ModelName.mlp, .lenet5, .resnet18CIFAR, .mobilenetV2, .shufflenetV2])
  func bitsDoNotDependOnTheNumberOfWorkers(_ model: ModelName) throws {
    let network = Self.network(model, dropout: 0.2)
    let shards = [[3], [2], [], [3], [2, 3]]
    let alone = try ShardRun(network, shards: shards)
    for workers in [2, 3] { #expect(try ShardRun(network, shards: shards, workers: workers).bits == alone.bits) }
  }

  /// A team of threads gives other bits than one thread may, and always the same.
  @Test func bitsOfATeamAreReproducible() throws {
    let network = Self.network(.lenet5)
    let runs = try [1, 1, 2].map { try ShardRun(network, shards: [[6], [6]], workers: $0, threads: 2).bits }
    #expect(runs[0] == runs[1] && runs[0] == runs[2])
  }

  /// Memory that moves between calls, other shards before, and use again: nothing of a call stays.
  @Test func nothingIsLeftFromEarlierCalls() throws {
    var configuration = Executor.Configuration(
      network: Self.network(.lenet5, dropout: 0.5), trainingBatchSizes: [4, 3])
    configuration.workers = 2
    let executor = try Executor(configuration)
    let parameters = try (0..<2).map { seed in
      let buffer = try FloatBuffer(count: executor.parameterLayout.count, skew: 64 * seed)
      try executor.parameterLayout.initialize(buffer.pointer, seed: UInt64(seed))
      return buffer
    }
    let first = try ShardRun(executor, parameters: parameters[0], shards: [[4], [3]])
    let other = try ShardRun(executor, parameters: parameters[1], shards: [[3, 4], [], [4]])
    let again = try ShardRun(executor, parameters: parameters[0], shards: [[4], [3]])
    #expect(first.bits == again.bits && first.vectors[0] != other.vectors[0])
  }

  @Test func anEmptyShardLeavesPositiveZeros() throws {
    let run = try ShardRun(Self.network(.resnet18CIFAR), shards: [[2], [], [2]])
    #expect(run.vectors[1].allSatisfy { $0.bitPattern == 0 } && run.sums[1] == LossSums())
    #expect(run.vectors[0].contains { $0 != 0 })
  }

  /// However a batch is cut into shards and micro-batches, the sum is the gradient of the whole; dropout follows the
  /// samples. Without batch norm, which sees its own part only.
  @Test(arguments: [ModelName.mlp, .lenet5, .cnn]) func cutsSumToTheWholeBatch(_ model: ModelName) throws {
    let network = Self.network(model, dropout: 0.3)
    let whole = try ShardRun(network, shards: [[7]], labelSmoothing: 0.1)
    let cuts = [[[3], [4]], [[1], [1], [1], [1], [1], [1], [1]], [[], [7], []], [[3, 4]], [[2, 2], [], [2, 1]]]
    for cut in cuts {
      let run = try ShardRun(network, shards: cut, labelSmoothing: 0.1)
      #expect(run.distance(from: whole) < 2e-6, "\(cut): \(run.distance(from: whole))")
      let losses = [run, whole].map { $0.sums.reduce(0) { $0 + $1.loss } }
      #expect(abs(losses[0] - losses[1]) < 1e-5 * losses[1], "\(cut): \(losses)")
      #expect(run.sums.reduce(0) { $0 + $1.correct } == whole.sums[0].correct, "\(cut)")
    }
  }

  /// Accumulation adds each micro-batch's gradients, in order, in 32 bits: nothing else.
  @Test func accumulationAddsMicroBatchesInOrder() throws {
    let network = Self.network(.lenet5)
    let accumulated = try ShardRun(network, shards: [[3, 2, 3]])
    let apart = try ShardRun(network, shards: [[3], [2], [3]])
    let expected = zip(zip(apart.vectors[0], apart.vectors[1]).map(+), apart.vectors[2]).map(+)
    #expect(accumulated.vectors[0].map(\.bitPattern) == expected.map(\.bitPattern))
    #expect(accumulated.sums[0].loss == apart.sums.reduce(0) { $0 + $1.loss })
  }

  /// Contributions to running statistics are weighted by samples: for the first layer their sum is the batch's mean.
  @Test func runningStatisticsAreWeighted() throws {
    let network = Self.network(.resnet18CIFAR)
    let whole = try ShardRun(network, shards: [[6]]).total
    let parts = try ShardRun(network, shards: [[1], [3, 2]]).total
    let (mean, partsMean) = (try #require(whole["bn1.running_mean"]), try #require(parts["bn1.running_mean"]))
    for (a, b) in zip(mean, partsMean) { #expect(abs(a - b) < 1e-6) }
    let variance = try #require(parts["layer4.1.bn2.running_var"])
    #expect(variance.allSatisfy { $0 >= 0 && $0.isFinite })
  }

  @Test func evaluationDoesNotDependOnTheNumberOfWorkers() throws {
    let network = Self.network(.resnet18CIFAR)
    let blocks = [0..<5, 5..<10, 10..<13, 13..<18]
    let sums = try [1, 3].map { workers in
      var configuration = Executor.Configuration(network: network, trainingBatchSizes: [2])
      configuration.evaluationBatchSizes = [5, 3]
      configuration.workers = workers
      let executor = try Executor(configuration)
      let parameters = try FloatBuffer(count: executor.parameterLayout.count)
      try executor.parameterLayout.initialize(parameters.pointer, seed: 4)
      return try executor.evaluate(parameters: parameters.pointer, blocks: blocks) { block, images, labels in
        for (place, sample) in block.enumerated() {
          for element in 0..<192 { images[place * 192 + element] = Float((sample * 31 + element * 7) % 13) / 6 - 1 }
          labels[place] = Int32(sample % 10)
        }
      }
    }
    #expect(sums[0] == sums[1] && sums[0].count == 4)
    #expect(sums[0].allSatisfy { $0.loss.isFinite && $0.loss > 0 })
  }

  /// A block larger than training's batches is evaluated in parts, added in their order, in a smaller arena.
  @Test func aLargeBlockIsEvaluatedInParts() throws {
    func evaluate(_ blocks: [Range<Int>], training: Int) throws -> (sums: [LossSums], arena: Int) {
      var configuration = Executor.Configuration(network: Self.network(.cnn), trainingBatchSizes: [training])
      configuration.evaluationBatchSizes = blocks.map(\.count)
      configuration.trains = false
      let executor = try Executor(configuration)
      let parameters = try FloatBuffer(count: executor.parameterLayout.count)
      try executor.parameterLayout.initialize(parameters.pointer, seed: 4)
      let count = Self.network(.cnn).input.count
      let sums = try executor.evaluate(parameters: parameters.pointer, blocks: blocks) { block, images, labels in
        for (place, sample) in block.enumerated() {
          for element in 0..<count { images[place * count + element] = Float((sample * 31 + element * 7) % 13) / 6 - 1 }
          labels[place] = Int32(sample % 10)
        }
      }
      return (sums, executor.arenaBytes)
    }
    let (whole, small) = try evaluate([0..<40], training: 3)
    let parts = try evaluate([0..<13, 13..<26, 26..<40], training: 3).sums
    #expect(whole[0].loss == (parts[0].loss + parts[1].loss) + parts[2].loss)
    #expect(whole[0].correct == parts.reduce(0) { $0 + $1.correct })
    #expect(try evaluate([0..<40], training: 40).arena > small)
  }

  /// An error of whoever fills the blocks comes out.
  @Test func anErrorOfTheSourceIsThrown() throws {
    struct Unreadable: Error {}
    var configuration = Executor.Configuration(network: Self.network(.mlp), trainingBatchSizes: [2])
    configuration.evaluationBatchSizes = [2]
    let executor = try Executor(configuration)
    let parameters = try FloatBuffer(count: executor.parameterLayout.count)
    #expect(throws: Unreadable.self) {
      try executor.evaluate(parameters: parameters.pointer, blocks: [0..<2]) { _, _, _ in throw Unreadable() }
    }
  }

  /// The plan is a function of graph, batch sizes and threads alone (numerics contract, rule 1).
  @Test(arguments: [ModelName.mlp, .lenet5, .cnn, .resnet18CIFAR, .resnet20CIFAR, .resnext50, .shufflenetV2])
  func plansAreReproducible(_ model: ModelName) throws {
    func plan(_ sizes: [Int], workers: Int = 1) throws -> String {
      var configuration = Executor.Configuration(network: Self.network(model), trainingBatchSizes: sizes)
      configuration.workers = workers
      configuration.evaluationBatchSizes = [5]
      return try Executor(configuration).planText
    }
    let text = try plan([4, 3])
    #expect(try plan([3, 4], workers: 2) == text && plan([4, 3, 3]) == text)
    #expect(try plan([5, 3]) != text)
    #expect(text.hasPrefix("training 4\n") && text.contains("\ntraining 3\n") && text.contains("\nevaluation 5\n"))
  }
}
