import Models
import Networks
import Testing

/// The structure of backward graphs. (That their numbers are right, the engine's tests show.)
@Suite struct DifferentiationTests {
  static func training(_ model: ModelName, dropout: Float = 0.1) -> Graph {
    model.network(input: model.smallInput, classes: 10, dropout: dropout).traced(batchSize: 2).training()
  }

  private func training(_ body: @escaping @Sendable (SymbolicTensor) -> SymbolicTensor) -> Graph {
    Network(name: "test", input: .init(2, 6, 6), classes: 3, body).traced(batchSize: 2).training()
  }

  @Test(arguments: ModelName.allCases) func everyParameterIsFinishedOnce(_ model: ModelName) {
    let graph = Self.training(model)
    #expect(graph.finishingOrder.sorted() == Array(graph.parameters.indices))
  }

  /// Kernels run in the order of nodes: whatever one reads, an earlier one has made, and nothing is made twice.
  @Test(arguments: ModelName.allCases) func everyValueIsMadeOnceBeforeItIsRead(_ model: ModelName) {
    let network = model.network(input: model.smallInput, classes: 10, dropout: 0.1)
    for graph in [
      network.traced(batchSize: 2), network.traced(batchSize: 2).training(), network.traced(batchSize: 2).inference(),
    ] {
      var made = Set<Graph.ValueID>()
      for node in graph.nodes {
        #expect(made.isSuperset(of: node.inputs), "\(node.name)")
        for output in node.outputs { #expect(made.insert(output).inserted, "\(node.name)") }
      }
    }
  }

  @Test(arguments: ModelName.allCases) func gradientsHaveTheShapesOfTheirValues(_ model: ModelName) {
    let graph = Self.training(model)
    for value in graph.values {
      if let forward = value.gradientOf { #expect(value.shape == graph[forward].shape) }
    }
  }

  /// A layer's own gradients come before the gradient that it passes on, so that communication starts early; and the
  /// layers finish in reverse.
  @Test func parametersFinishBeforeTheGradientGoesOn() {
    let graph = Self.training(.cnn, dropout: 0)
    let backward = graph.nodes.drop { $0.name != "loss" }.dropFirst()
    #expect(
      backward.map { "\($0.name) \($0.operation.kind)" } == [
        "fc2 backward weights", "fc2 backward data", "relu3 ReLU backward", "fc1 backward weights",
        "fc1 backward data", "flatten1 reshape", "maxpool2 pool backward", "relu2 ReLU backward",
        "conv2 backward weights", "conv2 backward data", "maxpool1 pool backward", "relu1 ReLU backward",
        "conv1 backward weights",
      ])
    #expect(
      graph.finishingOrder.map { graph.parameters[$0].name } == ModelTests.names(["fc2", "fc1", "conv2", "conv1"]))
  }

  /// Nothing is computed that no parameter needs.
  @Test(arguments: ModelName.allCases) func theFirstLayerHasNoBackwardData(_ model: ModelName) {
    let graph = Self.training(model)
    let images = graph.inputs[0]
    #expect(!graph.values.contains { $0.gradientOf == images })
    let weightsOf = graph.nodes.filter { $0.operation.kind == "backward weights" }.map(\.name)
    let dataOf = graph.nodes.filter { $0.operation.kind == "backward data" }.map(\.name)
    #expect(dataOf == Array(weightsOf.dropLast()), "all but the first layer, in the same order")
  }

  /// What several layers read has the sum of their gradients: one addition fewer than readers.
  @Test func fanOutSumsGradients() {
    for readers in 1...4 {
      let graph = training { x in
        let shared = x.convolution("shared", outputs: 2, .init(1))
        let branches = (0..<readers).map { shared.convolution("branch\($0)", outputs: 2, .init(1)) }
        return branches.dropFirst().reduce(branches[0], +).flatten().innerProduct("fc", outputs: 3)
      }
      let sums = graph.nodes.filter { $0.name.hasPrefix("gradient-sum") }
      #expect(sums.count == readers - 1)
      #expect(graph.finishingOrder.last.map { graph.parameters[$0].name } == "shared.bias")
    }
  }

  /// A value added to itself gets its gradient twice.
  @Test func aValueAddedToItself() {
    let graph = training { x in
      let y = x.convolution("c", outputs: 2, .init(1))
      return (y + y).flatten().innerProduct("fc", outputs: 3)
    }
    #expect(graph.nodes.count { $0.name.hasPrefix("gradient-sum") } == 1)
  }

  @Test func residualBlocksSumAtEachShortcut() {
    let graph = Self.training(.resnet18CIFAR)
    // Each of the eight blocks reads its input twice.
    #expect(graph.nodes.count { $0.name.hasPrefix("gradient-sum") } == 8)
    #expect(graph.nodes.count { $0.operation == .batchNormStatistics } == 20)
  }

  @Test func concatenationIsCutAgain() {
    let graph = training { x in
      let a = x.convolution("a", outputs: 1, .init(1))
      let b = x.convolution("b", outputs: 4, .init(1))
      return SymbolicTensor.concatenate([a, x, b]).flatten().innerProduct("fc", outputs: 3)
    }
    let slices = graph.nodes.compactMap { node in
      if case .sliceChannels(let offset) = node.operation { (offset, graph[node.outputs[0]].shape[1]) } else { nil }
    }
    // None for the images in the middle.
    #expect(slices.map(\.0) == [0, 3] && slices.map(\.1) == [1, 4])
  }

  /// Slices and padding are each other's gradient, and a shuffle's is the shuffle that undoes it.
  @Test func movedChannelsMoveBack() {
    let graph = training { x in
      let y = x.convolution("c", outputs: 6, .init(1)).slice(channels: 1..<5).padChannels(before: 3, after: 5)
      return y.shuffleChannels(groups: 3).flatten().innerProduct("fc", outputs: 3)
    }
    let backward = graph.nodes.drop { $0.name != "loss" }.dropFirst().map(\.operation)
    #expect(
      backward.contains([.shuffleChannels(groups: 4), .sliceChannels(offset: 3), .padChannels(offset: 1)]))
  }

  /// Parameters that the logits do not depend on are never finished; they keep their places all the same.
  @Test func aDeadBranchHasNoGradient() {
    let graph = training { x in
      _ = x.convolution("dead", outputs: 2, .init(1)).relu()
      return x.flatten().innerProduct("fc", outputs: 3)
    }
    #expect(graph.finishingOrder.map { graph.parameters[$0].name } == ["fc.weight", "fc.bias"])
    #expect(!graph.nodes.contains { $0.name == "dead" && $0.operation.kind == "backward weights" })
  }

  @Test func inferenceDropsNothingAndUsesRunningStatistics() {
    let network = ModelName.resnet18CIFAR.network(input: .init(3, 16, 16), classes: 10, dropout: 0.5)
    let graph = network.traced(batchSize: 2).inference()
    let kinds = graph.nodes.map(\.operation)
    #expect(!kinds.contains { $0.kind == "dropout" })
    #expect(kinds.count { if case .batchNormInference = $0 { true } else { false } } == 20)
    #expect(!kinds.contains { if case .batchNorm = $0 { true } else { false } })
    #expect(kinds.last == .softmaxCrossEntropyLoss && graph.finishingOrder == [])
    #expect(graph.parameters == network.traced(batchSize: 2).parameters)
  }

  /// The batch size changes extents and nothing else.
  @Test func graphsOfAllBatchSizesAreAlike() {
    let network = ModelName.resnet18CIFAR.network(input: .init(3, 16, 16), classes: 10, dropout: 0.5)
    let graphs = [1, 2, 7].map { network.traced(batchSize: $0).training(labelSmoothing: 0.1) }
    for graph in graphs {
      #expect(graph.nodes.map(\.operation) == graphs[0].nodes.map(\.operation))
      #expect(graph.parameters == graphs[0].parameters && graph.finishingOrder == graphs[0].finishingOrder)
      #expect(
        zip(graph.values, graphs[0].values).allSatisfy { $0.kind != .activation || $0.shape[1...] == $1.shape[1...] })
    }
  }
}
