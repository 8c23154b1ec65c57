/// One named tensor that a model owns: trained, or tracked beside training.
public struct Parameter: Sendable, Hashable {
  /// What a parameter is to its layer. The role decides how it starts, whether weight decay applies and who updates it.
  public enum Role: String, Sendable, Hashable {
    case weight, bias
    case normalizationScale, normalizationShift
    /// Not trained: an exponential moving average of batch statistics, reduced over shards with the gradients.
    case runningMean, runningVariance
  }

  /// The name, as in torchvision: `layer1.0.conv1.weight`.
  public let name: String
  /// Logical extents in the standard layout: `[out, in/groups, height, width]`, `[out, in]` or `[channels]`.
  public let shape: [Int]
  public let role: Role
  public let initializer: Initializer
  /// For running statistics: the weight of the newest batch in the moving average.
  public let momentum: Float
  /// Whether this is the scale of the batch norm that ends a residual branch: at zero the block starts as its shortcut.
  public let endsResidualBranch: Bool

  public init(
    name: String, shape: [Int], role: Role, initializer: Initializer, momentum: Float = 0,
    endsResidualBranch: Bool = false
  ) {
    self.name = name
    self.shape = shape
    self.role = role
    self.initializer = initializer
    self.momentum = momentum
    self.endsResidualBranch = endsResidualBranch
  }

  /// How the parameter starts where residual branches start at zero, or do not.
  public func start(zeroingResiduals: Bool) -> Initializer {
    zeroingResiduals && endsResidualBranch ? .zeros : initializer
  }

  /// The number of logical elements.
  public var count: Int { shape.reduce(1, *) }

  public var isTrainable: Bool { role != .runningMean && role != .runningVariance }

  /// Whether the parameter is a matrix or a filter; biases and batch-norm parameters are not, and are what
  /// "no weight decay on bias and batch norm" excludes.
  public var isWeight: Bool { role == .weight }
}
