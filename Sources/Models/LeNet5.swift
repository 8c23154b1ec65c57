import Networks

extension ModelDefinition {
  /// LeNet-5 after LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998,
  /// as one would draw it today: convolution, pool, convolution, pool, fully connected — with ReLU and max pooling for
  /// tanh and subsampling, 3×3 filters, and 32 and 64 channels for 6 and 16.
  static let leNet5 = ModelDefinition(
    "LeNet-5 with today's widths: two 3×3 convolutions, two fully connected layers", input: .init(1, 28, 28),
    leastExtent: 4
  ) { images, classes, dropout in
    images
      .convolution("conv1", outputs: 32, .init(3, padding: 1)).relu().maxPool(.init(2, stride: 2))
      .convolution("conv2", outputs: 64, .init(3, padding: 1)).relu().maxPool(.init(2, stride: 2))
      .flatten()
      .innerProduct("fc1", outputs: 128).relu()
      .dropout("dropout", probability: dropout)
      .innerProduct("fc2", outputs: classes, initializer: .fanInUniform(fan: 128))
  }
}
