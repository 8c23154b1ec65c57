import Networks

/// The built-in models, by the names that the command line knows.
public enum ModelName: String, Sendable, CaseIterable {
  case lenet5
  case mlp
  case cnn
  case resnet18CIFAR = "resnet18-cifar"
  case resnet20CIFAR = "resnet20-cifar"
  case resnet18
  case resnet34
  case resnet50
  case resnext50 = "resnext50-32x4d"
  case vgg16
  case densenet121
  case mobilenetV1 = "mobilenet-v1"
  case mobilenetV2 = "mobilenet-v2"
  case shufflenetV2 = "shufflenet-v2"

  private var definition: ModelDefinition {
    switch self {
    case .lenet5: .leNet5
    case .mlp: .multilayerPerceptron
    case .cnn: .convolutionalNetwork
    case .resnet18CIFAR: .resNet18ForCIFAR
    case .resnet20CIFAR: .resNet20ForCIFAR
    case .resnet18: .resNet18
    case .resnet34: .resNet34
    case .resnet50: .resNet50
    case .resnext50: .resNeXt50
    case .vgg16: .vgg16
    case .densenet121: .denseNet121
    case .mobilenetV1: .mobileNetV1
    case .mobilenetV2: .mobileNetV2
    case .shufflenetV2: .shuffleNetV2
    }
  }
}

extension ModelName {
  /// One line about the model.
  public var summary: String { definition.summary }

  /// The input that the model is published with; what `models show` uses unless told otherwise.
  public var usualInput: Network.ImageExtents { definition.usualInput }

  /// The classes that the model is published with.
  public var usualClasses: Int { definition.usualClasses }

  /// The least height and width that the model can take.
  public var leastExtent: Int { definition.leastExtent }

  /// Whether the model can be made for such images.
  public func takes(_ input: Network.ImageExtents) -> Bool {
    min(input.height, input.width) >= leastExtent && definition.restriction?.holds(input) ?? true
  }

  /// The images that the model takes, to follow "give".
  public var wantedImages: String {
    definition.restriction?.wanted ?? "images of at least \(leastExtent)×\(leastExtent) pixels"
  }

  /// Whether the model has a place for dropout: in front of its last fully connected layer.
  public var takesDropout: Bool { true }

  /// The model for images and classes of a data set.
  ///
  /// - Parameter dropout: probability of dropping a feature in front of the last fully connected layer (`vgg16`: of each
  ///   fully connected layer but the first).
  public func network(input: Network.ImageExtents, classes: Int, dropout: Float = 0) -> Network {
    let body = definition.body
    return Network(name: rawValue, input: input, classes: classes) { body($0, classes, dropout) }
  }
}
