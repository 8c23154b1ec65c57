import Networks

/// Residual networks after He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015. Names are
/// torchvision's, so that its files load.

/// ResNet-18 for small images: a 3×3 stem of stride 1 and no pool in place of the 7×7 stem of stride 2 and the pool;
/// four stages of 64, 128, 256 and 512 channels with two basic blocks each.
func residualNetwork18ForCIFAR(input: Network.ImageExtents, classes: Int, dropout: Float) -> Network {
  Network(name: "resnet18-cifar", input: input, classes: classes) { images in
    var x =
      images
      .convolution("conv1", outputs: 64, .init(3, padding: 1), bias: false, initializer: .heNormal(fan: 64 * 9))
      .batchNorm("bn1").relu()
    for (stage, channels) in [64, 128, 256, 512].enumerated() {
      for block in 0..<2 {
        x = x.basicBlock("layer\(stage + 1).\(block)", channels: channels, stride: stage > 0 && block == 0 ? 2 : 1)
      }
    }
    return x.globalAveragePool().flatten()
      .dropout("dropout", probability: dropout)
      .innerProduct("fc", outputs: classes, initializer: .fanInUniform(fan: 512))
  }
}

extension SymbolicTensor {
  /// Two 3×3 convolutions beside a shortcut, which is the identity or, where the shape changes, a 1×1 convolution
  /// (option B of section 3.3). Weights are He-normal over the fan-out, as torchvision has them.
  func basicBlock(_ name: String, channels: Int, stride: Int) -> SymbolicTensor {
    let start = Initializer.heNormal(fan: channels * 9)
    let body =
      convolution(
        "\(name).conv1", outputs: channels, .init(3, stride: stride, padding: 1), bias: false, initializer: start
      )
      .batchNorm("\(name).bn1").relu()
      .convolution("\(name).conv2", outputs: channels, .init(3, padding: 1), bias: false, initializer: start)
      .batchNorm("\(name).bn2")
    if stride == 1 && shape[1] == channels { return (body + self).relu() }
    let shortcut =
      convolution(
        "\(name).downsample.0", outputs: channels, .init(1, stride: stride), bias: false,
        initializer: .heNormal(fan: channels)
      )
      .batchNorm("\(name).downsample.1")
    return (body + shortcut).relu()
  }
}
