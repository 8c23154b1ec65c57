import Models
import Networks
import Testing

/// What becomes of concatenations, slices and shuffles of channels.
@Suite struct ConcatenationTests {
  private func count(_ graph: Graph, _ kind: String) -> Int { graph.nodes.count { $0.operation.kind == kind } }

  private func traced(_ define: @escaping @Sendable (SymbolicTensor) -> SymbolicTensor) -> Graph {
    Network(name: "test", input: .init(8, 8, 8), classes: 4) {
      define($0.convolution("start", outputs: 8, .init(1))).globalAveragePool().flatten().innerProduct("fc", outputs: 4)
    }.traced(batchSize: 2)
  }

  /// Channel by channel where each comes from, by running the gatherings over numbers.
  private func channels(of value: Graph.ValueID, in graph: Graph) -> [String] {
    guard let node = graph.nodes.first(where: { $0.outputs.contains(value) }) else { return [] }
    let count = graph[value].shape[1]
    let inputs = { node.inputs.flatMap { self.channels(of: $0, in: graph) } }
    switch node.operation {
    case .gatherChannels(let order): return order.map { $0 < 0 ? "0" : inputs()[$0] }
    case .concatenate: return inputs()
    case .sliceChannels(let offset): return Array(inputs()[offset..<(offset + count)])
    case .shuffleChannels(let groups):
      let all = inputs()
      return (0..<count).map { all[$0 % groups * (count / groups) + $0 / groups] }
    default: return (0..<count).map { "\(node.name) \(node.operation.kind) \($0)" }
    }
  }

  @Test func aShuffleTakesItsNeighboursAlong() throws {
    let graph = traced { x in
      let y = x.convolution("a", outputs: 6, .init(1))
      let shuffled = SymbolicTensor.concatenate([x.relu(), y.relu()]).shuffleChannels(groups: 2)
      return .concatenate([
        shuffled.slice(channels: 0..<3).relu(), shuffled.slice(channels: 3..<14).convolution("b", outputs: 4, .init(1)),
      ])
    }
    for whole in [graph, graph.training()] {
      let gathered = whole.gatheringChannels()
      #expect(count(gathered, "shuffle channels") == 0 && count(gathered, "pad channels") == 0)
      let kinds = ["gather channels", "concatenate", "slice channels"]
      // The second concatenation stays, and so do its gradient's slices.
      #expect(kinds.map { count(gathered, $0) } == (whole.nodes.count > graph.nodes.count ? [4, 1, 2] : [2, 1, 0]))
      for node in gathered.nodes where node.operation.kind == "gather channels" {
        let value = node.outputs[0]
        if whole[value].gradientOf == nil {
          #expect(channels(of: value, in: gathered) == channels(of: value, in: whole), "\(node.name)")
        }
      }
    }
  }

  @Test func aShuffleThatIsReadAsAWholeIsOneGathering() {
    let graph = traced {
      SymbolicTensor.concatenate([$0.relu(), $0]).shuffleChannels(groups: 4).convolution("b", outputs: 4, .init(1))
    }.training().gatheringChannels()
    // Forward one, backward one for each input.
    #expect(count(graph, "gather channels") == 3 && count(graph, "shuffle channels") == 0)
  }

  /// Slices that overlap have gradients with something to add.
  @Test func slicesThatOverlapStayAsTheyAre() {
    let graph = traced {
      let y = $0.shuffleChannels(groups: 2)
      return y.slice(channels: 0..<6).convolution("a", outputs: 4, .init(1))
        + y.slice(channels: 2..<8).convolution("b", outputs: 4, .init(1))
    }.training()
    #expect(graph.gatheringChannels().nodes.map(\.operation) == graph.nodes.map(\.operation))
  }

  @Test func valuesThatAreKeptAreMade() {
    let graph = traced {
      let y = $0.shuffleChannels(groups: 2)
      return y.slice(channels: 0..<6).relu()
    }
    let shuffle = graph.nodes.first { $0.operation.kind == "shuffle channels" }
    let gathered = graph.gatheringChannels(keeping: shuffle.map(\.outputs) ?? [])
    #expect(count(gathered, "gather channels") == 2)
  }

  @Test(arguments: [ModelName.shufflenetV2, .densenet121])
  func everyValueIsMadeBeforeItIsRead(_ model: ModelName) {
    let network = model.network(input: .init(3, 64, 64), classes: 10)
    for graph in [network.traced(batchSize: 2).training(), network.traced(batchSize: 2).inference()] {
      let gathered = graph.fused().gatheringChannels()
      var made: Set<Graph.ValueID> = []
      for node in gathered.nodes {
        #expect(node.inputs.allSatisfy(made.contains), "\(node.name) \(node.operation.kind)")
        made.formUnion(node.outputs)
      }
      #expect(gathered.finishingOrder.sorted() == graph.finishingOrder.sorted())
    }
  }

  @Test func aDenseBlockIsOneChain() {
    let network = ModelName.densenet121.network(input: .init(3, 64, 64), classes: 10)
    let graph = network.traced(batchSize: 2).training().fused()
    #expect(graph.concatenationChains().map(\.values.count) == [6, 12, 24, 16])
    // Normalisations add their gradients to those of the layers behind; only those of a block's slices are left.
    #expect(count(graph, "add") == 0)
    let chain = graph.concatenationChains()[0]
    #expect(graph.concatenationChains(keeping: [chain.values[2]]).map(\.values.count) == [2, 3, 12, 24, 16])
  }

  /// A concatenation that a convolution reads lies on its own.
  @Test func whatOthersReadIsNoChain() {
    let graph = traced { x in
      let y = SymbolicTensor.concatenate([x, x.convolution("a", outputs: 8, .init(1))])
      return SymbolicTensor.concatenate([y, y.convolution("b", outputs: 8, .init(1))]).relu()
    }.fused()
    #expect(graph.concatenationChains().isEmpty)
  }
}
