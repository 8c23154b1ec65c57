import Models
import Networks
import Testing

/// What `Graph.fused` takes together, and what it must leave.
@Suite struct FusionTests {
  private func kinds(_ graph: Graph) -> [String: Int] {
    graph.nodes.reduce(into: [:]) { $0[$1.operation.kind, default: 0] += 1 }
  }

  private func traced(classes: Int = 4, _ define: @escaping @Sendable (SymbolicTensor) -> SymbolicTensor) -> Graph {
    Network(name: "test", input: .init(4, 8, 8), classes: classes) { define($0).globalAveragePool().flatten() }.traced(
      batchSize: 2)
  }

  @Test func aResidualNetworkKeepsNoAdditionAndNoReLU() {
    let network = ModelName.resnet18CIFAR.network(input: .init(3, 16, 16), classes: 10, dropout: 0)
    let graph = network.traced(batchSize: 2).training()
    let fused = kinds(graph.fused())
    // Eight blocks, each with two; three shortcuts have a normalisation of their own, which takes the addition along.
    #expect(fused["batch norm + add + ReLU"] == 8 && fused["batch norm + add + ReLU backward"] == 8)
    #expect(fused["batch norm + ReLU"] == 9 && fused["batch norm + ReLU backward"] == 9)
    #expect(fused["batch norm"] == 3 && fused["batch norm backward"] == 3)
    #expect(fused["ReLU"] == nil && fused["ReLU backward"] == nil)
    // Sums of gradients where a block begins stay.
    #expect(fused["add"] == kinds(graph)["add"].map { $0 - 8 })
    #expect(graph.fused().finishingOrder.sorted() == graph.finishingOrder.sorted())
    let inference = kinds(network.traced(batchSize: 2).inference().fused())
    #expect(inference["batch norm + add + ReLU"] == 8 && inference["ReLU"] == nil)
  }

  @Test func everyValueIsMadeBeforeItIsRead() {
    for model in ModelName.allCases {
      let definition = model.network(input: .init(3, 224, 224), classes: 10, dropout: 0)
      for graph in [definition.traced(batchSize: 1).training(), definition.traced(batchSize: 1).inference()] {
        var made: Set<Graph.ValueID> = []
        for node in graph.fused().nodes {
          #expect(node.inputs.allSatisfy(made.contains), "\(model) \(node.name) \(node.operation.kind)")
          made.formUnion(node.outputs)
        }
      }
    }
  }

  @Test func whatIsKeptIsNotTakenAlong() {
    let graph = traced { $0.batchNorm("norm").relu() }.training()
    let norm = graph.nodes.first { $0.operation.kind == "batch norm" }
    #expect(kinds(graph.fused())["batch norm + ReLU"] == 1)
    #expect(kinds(graph.fused(keeping: norm.map { [$0.outputs[0]] } ?? []))["batch norm + ReLU"] == nil)
  }

  @Test func aNormalisationThatIsReadTwiceStaysAlone() {
    let graph = traced {
      let x = $0.batchNorm("norm")
      return x.relu() + x
    }.training()
    let fused = kinds(graph.fused())
    #expect(fused["batch norm"] == 1 && fused["ReLU"] == 1 && fused["add"] == 2)
  }

  @Test func theGradientOfAReLUIsTakenBehindThePool() throws {
    let graph = traced(classes: 8) {
      $0.convolution("conv", outputs: 8, .init(3, padding: 1)).relu().maxPool(.init(2, stride: 2))
    }
    .training().fused()
    let order = graph.nodes.map(\.operation.kind)
    let relu = try #require(order.firstIndex(of: "ReLU backward"))
    let pool = try #require(order.lastIndex(of: "pool backward"))
    #expect(relu < pool)
    #expect(graph[graph.nodes[relu].outputs[0]].shape == [2, 8, 4, 4])
  }
}
