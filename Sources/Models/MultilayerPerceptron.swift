import Networks

extension ModelDefinition {
  /// A perceptron with two hidden layers of 512 units and ReLU: the smallest model that learns Fashion-MNIST well.
  static let multilayerPerceptron = ModelDefinition(
    "784-512-512-10 perceptron with ReLU", input: .init(1, 28, 28)
  ) { images, classes, dropout in
    images.flatten()
      .innerProduct("fc1", outputs: 512).relu()
      .innerProduct("fc2", outputs: 512).relu()
      .dropout("dropout", probability: dropout)
      .innerProduct("fc3", outputs: classes, initializer: .fanInUniform(fan: 512))
  }
}
