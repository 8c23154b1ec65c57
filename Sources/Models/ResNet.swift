import Networks

/// Residual networks after He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, table 1. Names
/// and start values are torchvision's.
extension ModelDefinition {
  static let resNet18 = residualNetwork("ResNet-18: eight basic blocks", [2, 2, 2, 2]) {
    $0.basicBlock($1, channels: $2, stride: $3)
  }

  static let resNet34 = residualNetwork("ResNet-34: sixteen basic blocks", [3, 4, 6, 3]) {
    $0.basicBlock($1, channels: $2, stride: $3)
  }

  static let resNet50 = residualNetwork("ResNet-50 v1.5: sixteen bottleneck blocks", [3, 4, 6, 3]) {
    $0.bottleneckBlock($1, channels: $2, stride: $3)
  }

  /// A 7×7 convolution of stride 2 and a pool, four stages of blocks from 64 channels on, and a classifier.
  static func residualNetwork(
    _ summary: String, _ blocks: [Int],
    _ block: @escaping @Sendable (_ x: SymbolicTensor, _ name: String, _ channels: Int, _ stride: Int) -> SymbolicTensor
  ) -> ModelDefinition {
    .imageNet(summary) { images, classes, dropout in
      images
        .convolution("conv1", norm: "bn1", outputs: 64, .init(7, stride: 2, padding: 3)).relu()
        .maxPool(.init(3, stride: 2, padding: 1))
        .residualStages(blocks, block)
        .pooledFeatures(dropout: dropout)
        .linear("fc", outputs: classes)
    }
  }
}
