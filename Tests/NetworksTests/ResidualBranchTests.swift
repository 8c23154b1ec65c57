import Models
import Networks
import Testing

/// Which batch norms end a residual branch: those whose γ torchvision's `zero_init_residual` starts at zero.
@Suite struct ResidualBranchTests {
  static func ends(_ model: ModelName) -> [String] {
    model.network(input: model.usualInput, classes: 10).traced(batchSize: 1).parameters
      .filter { $0.start(zeroingResiduals: true) != $0.start(zeroingResiduals: false) }.map(\.name)
  }

  @Test func theLastOfEveryBlock() {
    for (model, blocks, layer) in [
      (ModelName.resnet18, [2, 2, 2, 2], "bn2"), (.resnet18CIFAR, [2, 2, 2, 2], "bn2"),
      (.resnet20CIFAR, [3, 3, 3], "bn2"), (.resnet34, [3, 4, 6, 3], "bn2"), (.resnet50, [3, 4, 6, 3], "bn3"),
      (.resnext50, [3, 4, 6, 3], "bn3"),
    ] {
      let expected = blocks.enumerated().flatMap { stage, count in
        (0..<count).map { "layer\(stage + 1).\($0).\(layer).weight" }
      }
      #expect(Self.ends(model) == expected, "\(model)")
    }
    // Inverted residuals have a shortcut where the shape stays.
    #expect(
      Self.ends(.mobilenetV2)
        == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16].map { "features.\($0).conv.3.weight" })
  }

  @Test func modelsWithoutResidualBranches() {
    for model in [ModelName.mlp, .lenet5, .cnn, .vgg16, .densenet121, .mobilenetV1, .shufflenetV2] {
      #expect(Self.ends(model) == [] && !model.network(input: model.usualInput, classes: 10).hasResidualBranches)
    }
  }
}
