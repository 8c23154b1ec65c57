import Networks

/// MobileNetV2 after Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear bottlenecks",
/// 2018, table 2. Names and start values are torchvision's.
extension ModelDefinition {
  static let mobileNetV2 = ModelDefinition.imageNet(
    "MobileNet v2: seventeen inverted residuals, ReLU6"
  ) { images, classes, dropout in
    var x =
      images
      .convolution("features.0.0", norm: "features.0.1", outputs: 32, .init(3, stride: 2, padding: 1)).relu6()
    var place = 1
    for (expansion, channels, count, stride) in [
      (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ] {
      for index in 0..<count {
        x = x.invertedResidual(
          "features.\(place).conv", expansion: expansion, channels: channels, stride: index == 0 ? stride : 1)
        place += 1
      }
    }
    return x.convolution("features.\(place).0", norm: "features.\(place).1", outputs: 1280, .init(1)).relu6()
      .pooledFeatures(dropout: dropout, named: "classifier.0")
      .innerProduct("classifier.1", outputs: classes, initializer: .normal(deviation: 0.01))
  }
}

extension SymbolicTensor {
  /// 1×1 to `expansion` times the channels, 3×3 of each channel for itself, 1×1 without activation; beside the identity
  /// where the shape stays.
  fileprivate func invertedResidual(_ name: String, expansion: Int, channels: Int, stride: Int) -> SymbolicTensor {
    let hidden = shape[1] * expansion
    let isResidual = stride == 1 && shape[1] == channels
    var x = self
    var place = 0
    if expansion > 1 {
      x = x.convolution("\(name).0.0", norm: "\(name).0.1", outputs: hidden, .init(1)).relu6()
      place = 1
    }
    x = x.convolution(
      "\(name).\(place).0", norm: "\(name).\(place).1", outputs: hidden, .init(3, stride: stride, padding: 1),
      groups: hidden
    ).relu6()
      .convolution(
        "\(name).\(place + 1)", norm: "\(name).\(place + 2)", outputs: channels, .init(1),
        endsResidualBranch: isResidual)
    return isResidual ? self + x : x
  }
}
