import Networks

/// The built-in models, by the names that the command line knows.
public enum ModelName: String, Sendable, CaseIterable {
  case lenet5
  case mlp
  case cnn
  case resnet18CIFAR = "resnet18-cifar"

  /// One line about the model.
  public var summary: String {
    switch self {
    case .lenet5: "LeNet-5 with today's widths: two 3×3 convolutions, two fully connected layers"
    case .mlp: "784-512-512-10 perceptron with ReLU"
    case .cnn: "two 5×5 convolutions of 32 and 64 channels, 1,024 hidden units"
    case .resnet18CIFAR: "ResNet-18 with a 3×3 stem for small images"
    }
  }

  /// The input that the model is published with; what `models show` uses unless told otherwise.
  public var usualInput: Network.ImageExtents {
    self == .resnet18CIFAR ? .init(3, 32, 32) : .init(1, 28, 28)
  }

  /// The least height and width that the model can take.
  public var leastExtent: Int {
    switch self {
    case .mlp: 1
    case .lenet5, .cnn: 4
    case .resnet18CIFAR: 1
    }
  }

  /// Whether the model has a place for dropout: in front of its last fully connected layer.
  public var takesDropout: Bool { true }

  /// The model for images and classes of a data set.
  ///
  /// - Parameter dropout: probability of dropping a feature in front of the last fully connected layer.
  public func network(input: Network.ImageExtents, classes: Int, dropout: Float = 0) -> Network {
    switch self {
    case .mlp: multilayerPerceptron(input: input, classes: classes, dropout: dropout)
    case .lenet5: leNet5(input: input, classes: classes, dropout: dropout)
    case .cnn: convolutionalNetwork(input: input, classes: classes, dropout: dropout)
    case .resnet18CIFAR: residualNetwork18ForCIFAR(input: input, classes: classes, dropout: dropout)
    }
  }
}
