import Engine
import Models
import Networks
import Testing

/// A step that computes activations again has the bits of one that keeps them.
@Suite(.serialized) struct RecomputationTests {
  /// The smallest images that the model takes.
  private static func network(_ model: ModelName) -> Network? {
    for extent in [8, 12, 32, 64] {
      for channels in [3, 1] where model.takes(.init(channels, extent, extent)) {
        return model.network(input: .init(channels, extent, extent), classes: 10, dropout: 0.3)
      }
    }
    return nil
  }

  /// VGG's kind in small, because VGG-16 itself takes no small images.
  private static let plainChain = Network(name: "chain", input: .init(3, 16, 16), classes: 10) { images in
    var x = images
    for (index, channels) in [16, 16, 32, 32].enumerated() {
      x = x.convolution("conv\(index)", outputs: channels, .init(3, padding: 1)).relu()
      if index % 2 == 1 { x = x.maxPool(.init(2, stride: 2)) }
    }
    return x.flatten().innerProduct("fc1", outputs: 32).relu().dropout("drop", probability: 0.5)
      .innerProduct("fc2", outputs: 10)
  }

  private func expectEqualBits(
    _ network: Network, _ choice: KernelChoice, threads: Int, precision: Precision = .float32
  ) throws {
    let shards = [[2, 1]]
    let kept = try ShardRun(network, shards: shards, threads: threads, kernelChoice: choice, precision: precision)
    for recomputation in [Recomputation.selective, .full] {
      let run = try ShardRun(
        network, shards: shards, threads: threads, kernelChoice: choice, precision: precision,
        recomputation: recomputation)
      #expect(run.bits == kept.bits, "\(recomputation), \(choice.policy), \(threads) threads")
    }
  }

  @Test(arguments: ModelName.allCases) func bitsAreTheSame(_ model: ModelName) throws {
    guard let network = Self.network(model) else {
      #expect(model == .vgg16)
      return
    }
    try expectEqualBits(network, KernelChoice(), threads: 1)
  }

  /// Over a graph in which nothing is fused.
  @Test(arguments: [ModelName.cnn, .resnet20CIFAR, .shufflenetV2]) func bitsAreTheSameOfTheLibrary(
    _ model: ModelName
  ) throws {
    try expectEqualBits(try #require(Self.network(model)), KernelChoice(.library), threads: 1)
  }

  @Test func bitsAreTheSameOfAPlainChain() throws {
    try expectEqualBits(Self.plainChain, KernelChoice(), threads: 1)
    try expectEqualBits(Self.plainChain, KernelChoice(.library), threads: 2)
  }

  @Test(arguments: [ModelName.resnet20CIFAR, .shufflenetV2]) func bitsAreTheSameInBFloat16(_ model: ModelName) throws {
    try expectEqualBits(try #require(Self.network(model)), KernelChoice(), threads: 1, precision: .bf16)
  }

  @Test func bitsAreTheSameOfTwoThreads() throws {
    try expectEqualBits(try #require(Self.network(.resnet18CIFAR)), KernelChoice(), threads: 2)
  }

  @Test func arenasAreSmaller() throws {
    func arena(_ model: ModelName, _ recomputation: Recomputation) throws -> Int {
      var configuration = Executor.Configuration(
        network: model.network(input: .init(3, 64, 64), classes: 10), trainingBatchSizes: [8])
      configuration.recomputation = recomputation
      return try ExecutionPlan(configuration).arenaBytes
    }
    for model in [ModelName.resnet50, .densenet121, .mobilenetV2] {
      let (none, selective, full) = (
        try arena(model, .none), try arena(model, .selective), try arena(model, .full)
      )
      #expect(selective < none && 2 * full < none, "\(model): \(none), \(selective), \(full)")
    }
  }
}
