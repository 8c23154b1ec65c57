import Networks

/// A perceptron with two hidden layers of 512 units and ReLU: the smallest model that learns Fashion-MNIST well.
func multilayerPerceptron(input: Network.ImageExtents, classes: Int, dropout: Float) -> Network {
  Network(name: "mlp", input: input, classes: classes) { images in
    images.flatten()
      .innerProduct("fc1", outputs: 512).relu()
      .innerProduct("fc2", outputs: 512).relu()
      .dropout("dropout", probability: dropout)
      .innerProduct("fc3", outputs: classes, initializer: .fanInUniform(fan: 512))
  }
}
