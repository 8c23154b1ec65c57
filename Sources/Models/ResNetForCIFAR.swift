import Networks

/// Residual networks for small images, after He, Zhang, Ren and Sun, "Deep residual learning for image recognition",
/// 2015: a 3×3 convolution of stride 1 and no pool in front of the stages.
extension ModelDefinition {
  /// The stages of ResNet-18 behind that convolution. Names are torchvision's, so that its files load.
  static let resNet18ForCIFAR = ModelDefinition(
    "ResNet-18 with a 3×3 stem for small images", input: .init(3, 32, 32)
  ) { images, classes, dropout in
    images
      .convolution("conv1", norm: "bn1", outputs: 64, .init(3, padding: 1)).relu()
      .residualStages([2, 2, 2, 2]) { $0.basicBlock($1, channels: $2, stride: $3) }
      .pooledFeatures(dropout: dropout)
      .innerProduct("fc", outputs: classes, initializer: .fanInUniform(fan: 512))
  }

  /// The network of section 4.2 with n = 3: three stages of 16, 32 and 64 channels, shortcuts without parameters.
  static let resNet20ForCIFAR = ModelDefinition(
    "ResNet-20 of the CIFAR experiments: 0.27 million parameters", input: .init(3, 32, 32)
  ) { images, classes, dropout in
    images
      .convolution("conv1", norm: "bn1", outputs: 16, .init(3, padding: 1)).relu()
      .residualStages([3, 3, 3], channels: 16) {
        $0.basicBlock($1, channels: $2, stride: $3, shortcut: .subsampling)
      }
      .pooledFeatures(dropout: dropout)
      .linear("fc", outputs: classes)
  }
}
