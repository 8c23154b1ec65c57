import Networks

/// MobileNet after Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
/// 2017, table 1. torchvision has none; names and start values are in the style of its MobileNetV2.
extension ModelDefinition {
  static let mobileNetV1 = ModelDefinition.imageNet(
    "MobileNet v1: thirteen pairs of depthwise and 1×1 convolutions"
  ) { images, classes, dropout in
    var x =
      images
      .convolution("features.0.0", norm: "features.0.1", outputs: 32, .init(3, stride: 2, padding: 1)).relu()
    let pairs = [
      (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
      (1024, 2), (1024, 1),
    ]
    for (index, (channels, stride)) in pairs.enumerated() {
      x = x.separableConvolution("features.\(index + 1).conv", channels: channels, stride: stride)
    }
    return x.pooledFeatures(dropout: dropout, named: "classifier.0")
      .innerProduct("classifier.1", outputs: classes, initializer: .normal(deviation: 0.01))
  }
}

extension SymbolicTensor {
  /// A 3×3 convolution of each channel for itself, then a 1×1 convolution of all.
  fileprivate func separableConvolution(_ name: String, channels: Int, stride: Int) -> SymbolicTensor {
    convolution(
      "\(name).0.0", norm: "\(name).0.1", outputs: shape[1], .init(3, stride: stride, padding: 1), groups: shape[1]
    ).relu()
      .convolution("\(name).1.0", norm: "\(name).1.1", outputs: channels, .init(1)).relu()
  }
}
