import Models
import Networks
import Testing

/// The built-in models: sizes, costs and the names that files know them by.
@Suite struct ModelTests {
  struct Size: Sendable, CustomStringConvertible {
    let model: ModelName
    let trained: Int
    let tracked: Int
    let multiplyAdds: Int
    var description: String { model.rawValue }
  }

  /// Counted by hand: Σ weights + biases; Σ weights × positions of the output.
  static let sizes = [
    Size(model: .mlp, trained: 669_706, tracked: 0, multiplyAdds: 668_672),
    Size(model: .lenet5, trained: 421_642, tracked: 0, multiplyAdds: 4_241_152),
    Size(model: .cnn, trained: 3_274_634, tracked: 0, multiplyAdds: 13_883_904),
    Size(model: .resnet18CIFAR, trained: 11_173_962, tracked: 9600, multiplyAdds: 555_422_720),
  ]

  @Test(arguments: sizes) func sizesAreThePublishedOnes(_ size: Size) {
    let graph = size.model.network(input: size.model.usualInput, classes: 10).traced(batchSize: 3)
    #expect(graph.parameterCount == size.trained)
    #expect(graph.parameters.reduce(0) { $0 + $1.count } == size.trained + size.tracked)
    #expect(graph.layers().reduce(0) { $0 + $1.multiplyAdds } == size.multiplyAdds)
    #expect(graph.layers().reduce(0) { $0 + $1.parameterCount } == size.trained)
    #expect(graph[graph.logits].shape == [3, 10] && graph.batchSize == 3)
  }

  @Test func everyModelIsListed() {
    let tested = Self.sizes.map(\.model.rawValue) + PublishedModelTests.sizes.map(\.model)
    #expect(tested.sorted() == ModelName.allCases.map(\.rawValue).sorted())
  }

  static func names(_ layers: [String]) -> [String] { layers.flatMap { ["\($0).weight", "\($0).bias"] } }

  @Test func namesOfPlainModels() {
    for (model, layers) in [
      (ModelName.mlp, ["fc1", "fc2", "fc3"]), (.lenet5, ["conv1", "conv2", "fc1", "fc2"]),
      (.cnn, ["conv1", "conv2", "fc1", "fc2"]),
    ] {
      let graph = model.network(input: model.usualInput, classes: 10).traced(batchSize: 1)
      #expect(graph.parameters.map(\.name) == Self.names(layers))
    }
  }

  /// torchvision's `resnet18().state_dict()`, without `num_batches_tracked`.
  @Test func namesOfResNet18AreTorchvisions() {
    func norm(_ name: String) -> [String] {
      ["weight", "bias", "running_mean", "running_var"].map { "\(name).\($0)" }
    }
    var expected = Set(["conv1.weight"] + norm("bn1") + Self.names(["fc"]))
    for stage in 1...4 {
      for block in 0...1 {
        let name = "layer\(stage).\(block)"
        expected.formUnion(
          ["\(name).conv1.weight", "\(name).conv2.weight"] + norm("\(name).bn1") + norm("\(name).bn2"))
        if stage > 1 && block == 0 {
          expected.formUnion(["\(name).downsample.0.weight"] + norm("\(name).downsample.1"))
        }
      }
    }
    let graph = ModelName.resnet18CIFAR.network(input: .init(3, 32, 32), classes: 10).traced(batchSize: 2)
    #expect(Set(graph.parameters.map(\.name)) == expected)
    #expect(graph.parameters.count == 102 && graph.parameters.filter(\.isTrainable).count == 62)
  }

  /// The data set decides input and classes, also at the least extent that a model takes.
  @Test(arguments: ModelName.allCases) func shapesFollowTheDataSet(_ model: ModelName) {
    let least = model.leastExtent
    for (extents, classes) in [
      (Network.ImageExtents(1, least, least), 1), (.init(2, least + 8, least + 12), 7), (.init(3, 224, 224), 100),
    ] {
      #expect(model.takes(extents))
      let graph = model.network(input: extents, classes: classes).traced(batchSize: 5)
      #expect(graph[graph.logits].shape == [5, classes])
      #expect(graph[graph.inputs[0]].shape == [5, extents.channels, extents.height, extents.width])
      #expect(!model.takes(.init(extents.channels, least - 1, extents.width)))
    }
  }

  @Test(arguments: ModelName.allCases) func dropoutStandsInFrontOfTheLastLayer(_ model: ModelName) throws {
    func operations(_ dropout: Float) -> [Graph.Operation] {
      model.network(input: model.usualInput, classes: 10, dropout: dropout).traced(batchSize: 2).nodes.map(\.operation)
    }
    let with = operations(0.25)
    #expect(with.suffix(2) == [.dropout(probability: 0.25), .innerProduct(hasBias: true)])
    #expect(with.filter { $0 != .dropout(probability: 0.25) } == operations(0))
  }
}

extension ModelName {
  /// Small images for tests that trace the model.
  var smallInput: Network.ImageExtents { .init(3, max(leastExtent, 16), max(leastExtent, 16)) }
}
