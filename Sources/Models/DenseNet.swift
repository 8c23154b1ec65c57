import Networks

/// Densely connected networks after Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional
/// networks", 2016. Names and start values are torchvision's.
extension ModelDefinition {
  /// DenseNet-121 (BC): growth 32, blocks of 6, 12, 24 and 16 layers, transitions that halve channels and extents.
  static let denseNet121 = ModelDefinition.imageNet(
    "DenseNet-121: four dense blocks, growth 32", leastExtent: 29
  ) { images, classes, dropout in
    var x =
      images
      .convolution(
        "features.conv0", norm: "features.norm0", outputs: 64, .init(7, stride: 2, padding: 3),
        initializer: .heNormal(fan: images.shape[1] * 49)
      )
      .relu().maxPool(.init(3, stride: 2, padding: 1))
    let blocks = [6, 12, 24, 16]
    for (block, layers) in blocks.enumerated() {
      for layer in 1...layers { x = x.denseLayer("features.denseblock\(block + 1).denselayer\(layer)", growth: 32) }
      if block + 1 < blocks.count { x = x.transition("features.transition\(block + 1)") }
    }
    return x.batchNorm("features.norm5").relu()
      .pooledFeatures(dropout: dropout)
      .innerProduct("classifier", outputs: classes, initializer: .fanInUniform(fan: x.shape[1]))
  }
}

extension SymbolicTensor {
  /// Adds `growth` channels, made from all that are there by a 1×1 and a 3×3 convolution, each behind a batch norm and a
  /// ReLU. Filters are He-normal over the fan-in.
  fileprivate func denseLayer(_ name: String, growth: Int) -> SymbolicTensor {
    let grown = batchNorm("\(name).norm1").relu()
      .convolution("\(name).conv1", outputs: 4 * growth, .init(1), bias: false)
      .batchNorm("\(name).norm2").relu()
      .convolution("\(name).conv2", outputs: growth, .init(3, padding: 1), bias: false)
    return .concatenate([self, grown])
  }

  fileprivate func transition(_ name: String) -> SymbolicTensor {
    batchNorm("\(name).norm").relu()
      .convolution("\(name).conv", outputs: shape[1] / 2, .init(1), bias: false)
      .averagePool(.init(2, stride: 2))
  }
}
