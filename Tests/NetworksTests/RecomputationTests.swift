import Models
import Networks
import Testing

/// What `Graph.recomputing` repeats, and what it must not.
@Suite struct RecomputationTests {
  private func count(_ graph: Graph, _ kind: String) -> Int { graph.nodes.count { $0.operation.kind == kind } }

  private func training(_ model: ModelName, extent: Int = 224) -> Graph {
    model.network(input: .init(3, extent, extent), classes: 10, dropout: 0.1).traced(batchSize: 2).training()
  }

  @Test(arguments: ModelName.allCases.filter { $0.takes(.init(3, 224, 224)) })
  func everyGraphIsTheSameStepWithLessToKeep(_ model: ModelName) {
    for graph in [training(model), training(model).fused()] {
      var peak = graph.peakBytes()
      for recomputation in [Recomputation.selective, .full] {
        let again = graph.recomputing(recomputation)
        var made: Set<Graph.ValueID> = []
        for node in again.nodes {
          #expect(node.inputs.allSatisfy(made.contains), "\(recomputation): \(node.name) \(node.operation.kind)")
          #expect(made.isDisjoint(with: node.outputs), "\(recomputation): \(node.name) makes a value twice")
          made.formUnion(node.outputs)
        }
        // All nodes of the step are there, in their order, and what finishes a gradient is there once.
        #expect(again.finishingOrder == graph.finishingOrder)
        #expect(
          again.nodes.filter { !$0.outputs.contains { $0.index >= graph.values.count } }.count == graph.nodes.count)
        #expect(count(again, "batch norm statistics") == count(graph, "batch norm statistics"))
        #expect(again.peakBytes() <= peak, "\(recomputation)")
        peak = again.peakBytes()
        // The same choice each time.
        #expect(graph.recomputing(recomputation).nodes.map(\.name) == again.nodes.map(\.name))
      }
      #expect(graph.recomputing(.none).nodes.count == graph.nodes.count)
    }
  }

  @Test func residualNetworksNeedHalf() {
    for model in [ModelName.resnet50, .resnet18CIFAR, .mobilenetV2, .densenet121] {
      let graph = training(model, extent: 64).fused()
      #expect(2 * graph.recomputing(.full).peakBytes() < graph.peakBytes(), "\(model)")
    }
  }

  @Test func selectiveRepeatsNoProduct() {
    let graph = training(.resnet50).fused()
    let again = graph.recomputing(.selective)
    #expect(count(again, "convolution") == count(graph, "convolution"))
    #expect(again.nodes.count > graph.nodes.count)
  }

  /// Each node at most once more.
  @Test func fullIsAtMostOneMorePass() {
    for model in [ModelName.resnet50, .densenet121, .shufflenetV2] {
      let graph = training(model).fused()
      var times: [String: Int] = [:]
      for node in graph.recomputing(.full).nodes { times["\(node.name) \(node.operation)", default: 0] += 1 }
      #expect(times.values.allSatisfy { $0 <= 2 }, "\(model)")
    }
  }

  @Test func whatHasNoBackwardPassStaysAsItIs() {
    let graph = ModelName.resnet18CIFAR.network(input: .init(3, 8, 8), classes: 10).traced(batchSize: 2).inference()
    #expect(graph.recomputing(.full).nodes.count == graph.nodes.count)
  }

  /// Values of 2×4×8×8 floats, of which two live together at any time.
  @Test func thePeakIsThatOfTheValuesThatLiveTogether() {
    let graph = Network(name: "test", input: .init(4, 8, 8), classes: 4) {
      $0.convolution("a", outputs: 4, .init(3, padding: 1), bias: false)
        .convolution("b", outputs: 4, .init(3, padding: 1), bias: false).globalAveragePool().flatten()
    }.traced(batchSize: 2).training()
    let image = 4 * 2 * 4 * 64
    // Beside them, one float a channel of the pool.
    #expect(graph.peakBytes() >= 2 * image && graph.peakBytes() < 2 * image + 256)
  }
}
