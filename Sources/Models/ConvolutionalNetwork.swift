import Networks

extension ModelDefinition {
  /// Two 5×5 convolutions of 32 and 64 channels and 1,024 hidden units: the network that TensorFlow's and many others'
  /// MNIST tutorials train, and the one that speed is compared on here.
  static let convolutionalNetwork = ModelDefinition(
    "two 5×5 convolutions of 32 and 64 channels, 1,024 hidden units", input: .init(1, 28, 28), leastExtent: 4
  ) { images, classes, dropout in
    images
      .convolution("conv1", outputs: 32, .init(5, padding: 2)).relu().maxPool(.init(2, stride: 2))
      .convolution("conv2", outputs: 64, .init(5, padding: 2)).relu().maxPool(.init(2, stride: 2))
      .flatten()
      .innerProduct("fc1", outputs: 1024).relu()
      .dropout("dropout", probability: dropout)
      .innerProduct("fc2", outputs: classes, initializer: .fanInUniform(fan: 1024))
  }
}
