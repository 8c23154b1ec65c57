import Engine
import Foundation
import Models
import Networks
import Testing

/// Where a companion is told that a part is free, gradients are those that the computation ends with, and parameters may be
/// overwritten.
@Suite struct CompanionTests {
  @Test(arguments: [ModelName.lenet5, .resnet20CIFAR, .densenet121, .shufflenetV2], [1, 2])
  func partsAreFreeWhenAnnounced(_ model: ModelName, workers: Int) throws {
    let network = model.network(input: model == .lenet5 ? .init(1, 28, 28) : .init(3, 32, 32), classes: 10)
    let input = network.input
    var configuration = Executor.Configuration(network: network, trainingBatchSizes: [3, 2])
    configuration.workers = workers
    let executor = try Executor(configuration)
    let layout = executor.parameterLayout
    // Uneven parts, of which some end within a parameter.
    let parts = (0..<7).map { $0 * layout.count / 7..<($0 + 1) * layout.count / 7 }
    executor.announce(parts: parts)

    let parameters = try FloatBuffer(count: layout.count)
    try layout.initialize(parameters.pointer, seed: 3)
    // Three shards: one of two micro-batches, one of one, and one without samples.
    let images = try FloatBuffer(count: 5 * input.count)
    for index in 0..<5 * input.count { images.pointer[index] = Float((index * 7919) % 255) / 255 - 0.5 }
    let labels: [Int32] = [1, 7, 3, 0, 9]
    let ids: [UInt32] = [0, 1, 2, 3, 4]
    func gradients(beside companion: Executor.Companion?) throws -> [[UInt32]] {
      try layout.initialize(parameters.pointer, seed: 3)
      let gradients = try (0..<3).map { _ in try FloatBuffer(count: layout.count) }
      try labels.withUnsafeBufferPointer { labels in
        try ids.withUnsafeBufferPointer { ids in
          let labels = try #require(labels.baseAddress)
          let ids = try #require(ids.baseAddress)
          let work = [[3, 2], [2], []].enumerated().map { shard, batches in
            Executor.ShardWork(
              images: images.pointer, labels: labels, sampleIDs: ids, batches: batches,
              gradients: gradients[shard].pointer, globalBatch: 7, epoch: 0, step: 0)
          }
          current = gradients
          _ = try executor.computeGradients(parameters: parameters.pointer, work, beside: companion)
        }
      }
      return gradients.map { $0.values.map(\.bitPattern) }
    }
    var current: [FloatBuffer] = []
    let expected = try gradients(beside: nil)

    var told: [Int] = []
    let companion = Executor.Companion(
      isFree: { part in
        told.append(part)
        // Whoever reads or adds to these from now on spoils what he computes.
        parameters.values[parts[part]].update(repeating: .nan)
        for (shard, gradient) in current.enumerated() {
          let values = gradient.values[parts[part]].map(\.bitPattern)
          #expect(values == Array(expected[shard][parts[part]]), "shard \(shard), part \(part)")
        }
      }, advance: { told.count < 5 })
    #expect(try gradients(beside: companion) == expected)
    #expect(told == Array(0..<7))
  }

  struct Refusal: Error {}

  /// An error beside the computation ends it, after the workers are done with the memory.
  @Test func errorsOfACompanionAreThrown() throws {
    let network = ModelName.lenet5.network(input: .init(1, 28, 28), classes: 10)
    let executor = try Executor(.init(network: network, trainingBatchSizes: [2]))
    let count = executor.parameterLayout.count
    executor.announce(parts: [0..<count])
    let parameters = try FloatBuffer(count: count)
    let (images, gradients) = (try FloatBuffer(count: 2 * 784), try FloatBuffer(count: count))
    let labels: [Int32] = [0, 1]
    let ids: [UInt32] = [0, 1]
    try labels.withUnsafeBufferPointer { labels in
      try ids.withUnsafeBufferPointer { ids in
        let work = Executor.ShardWork(
          images: images.pointer, labels: try #require(labels.baseAddress), sampleIDs: try #require(ids.baseAddress),
          batches: [2], gradients: gradients.pointer, globalBatch: 2, epoch: 0, step: 0)
        #expect(throws: Refusal.self) {
          try executor.computeGradients(
            parameters: parameters.pointer, [work],
            beside: .init(isFree: { _ in throw Refusal() }, advance: { false }))
        }
      }
    }
  }
}
