/// The layers a model is written with. Each checks its input's shape when it is traced.
extension SymbolicTensor {
  /// A two-dimensional convolution: [n, c, h, w] → [n, outputs, h', w'].
  ///
  /// - Parameters:
  ///   - groups: divides channels and outputs into groups that do not see each other; `c` gives a depthwise convolution.
  ///   - initializer: of the weights; He-normal over the fan-in if not given. Biases start at zero.
  public func convolution(
    _ name: String, outputs: Int, _ window: Window, groups: Int = 1, bias: Bool = true,
    initializer: Initializer? = nil
  ) -> SymbolicTensor {
    requireRank(4, "convolution \(name)")
    let channels = shape[1]
    precondition(
      groups > 0 && channels % groups == 0 && outputs % groups == 0,
      "convolution \(name): \(groups) groups do not divide \(channels) channels and \(outputs) outputs")
    let weightShape = [outputs, channels / groups] + window.kernel
    let fanIn = weightShape[1...].reduce(1, *)
    var parameters = [
      Parameter(
        name: "\(name).weight", shape: weightShape, role: .weight, initializer: initializer ?? .heNormal(fan: fanIn))
    ]
    if bias { parameters.append(Parameter(name: "\(name).bias", shape: [outputs], role: .bias, initializer: .zeros)) }
    return apply(
      .convolution(window, groups: groups, hasBias: bias), name: trace.claim(name),
      shape: [shape[0], outputs] + window.outputExtents(shape[2], shape[3]), parameters: parameters)
  }

  /// A fully connected layer: [n, features] → [n, outputs].
  public func innerProduct(
    _ name: String, outputs: Int, bias: Bool = true, initializer: Initializer? = nil,
    biasInitializer: Initializer = .zeros
  ) -> SymbolicTensor {
    requireRank(2, "inner product \(name)")
    var parameters = [
      Parameter(
        name: "\(name).weight", shape: [outputs, shape[1]], role: .weight,
        initializer: initializer ?? .heNormal(fan: shape[1]))
    ]
    if bias {
      parameters.append(
        Parameter(name: "\(name).bias", shape: [outputs], role: .bias, initializer: biasInitializer))
    }
    return apply(
      .innerProduct(hasBias: bias), name: trace.claim(name), shape: [shape[0], outputs], parameters: parameters)
  }

  public func maxPool(_ window: Window) -> SymbolicTensor {
    pool(.maxPool(window), "maxpool", window, auxiliary: [(shape: [], kind: .workspace)])
  }

  /// Padding counts as zeros in the average, as PyTorch has it by default.
  public func averagePool(_ window: Window) -> SymbolicTensor {
    pool(.averagePool(window), "avgpool", window, auxiliary: [])
  }

  private func pool(
    _ operation: Graph.Operation, _ kind: String, _ window: Window,
    auxiliary: [(shape: [Int], kind: Graph.Value.Kind)]
  ) -> SymbolicTensor {
    requireRank(4, kind)
    precondition(
      zip(window.kernel, window.padding).allSatisfy { $1 * 2 <= $0 },
      "\(kind): padding \(window.padding) is more than half of the kernel \(window.kernel)")
    return apply(
      operation, name: trace.next(kind), shape: shape[..<2] + window.outputExtents(shape[2], shape[3]),
      auxiliary: auxiliary)
  }

  /// [n, c, h, w] → [n, c, 1, 1].
  public func globalAveragePool() -> SymbolicTensor {
    requireRank(4, "global average pool")
    return apply(.globalAveragePool, name: trace.next("gap"), shape: [shape[0], shape[1], 1, 1])
  }

  /// PyTorch's adaptive average pool, for extents at which its windows are of one size and distance
  /// (`Window.init(cutting:into:)`): [n, c, h, w] → [n, c, height, width].
  public func adaptiveAveragePool(_ height: Int, _ width: Int) -> SymbolicTensor {
    requireRank(4, "adaptive average pool")
    if shape[2...] == [height, width] { return self }
    guard let window = Window(cutting: Array(shape[2...]), into: [height, width]) else {
      preconditionFailure("equal windows do not cut \(shape[2])×\(shape[3]) into \(height)×\(width)")
    }
    return averagePool(window)
  }

  public func relu() -> SymbolicTensor { apply(.relu, name: trace.next("relu"), shape: shape) }

  /// min(max(x, 0), 6).
  public func relu6() -> SymbolicTensor { apply(.relu6, name: trace.next("relu"), shape: shape) }

  /// Batch normalisation over samples and positions (Ioffe and Szegedy, 2015), with running statistics for inference.
  ///
  /// - Parameters:
  ///   - scale: the start value of γ.
  ///   - endsResidualBranch: whether this is the last layer of a residual branch, whose γ large-batch recipes start at zero.
  public func batchNorm(
    _ name: String, epsilon: Float = 1e-5, momentum: Float = 0.1, scale: Initializer = .ones,
    endsResidualBranch: Bool = false
  ) -> SymbolicTensor {
    requireRank(4, "batch norm \(name)")
    let channels = [shape[1]]
    return apply(
      .batchNorm(epsilon: epsilon), name: trace.claim(name), shape: shape,
      auxiliary: [(shape: channels, kind: .statistic), (shape: channels, kind: .statistic)],
      parameters: [
        Parameter(
          name: "\(name).weight", shape: channels, role: .normalizationScale, initializer: scale,
          endsResidualBranch: endsResidualBranch),
        Parameter(name: "\(name).bias", shape: channels, role: .normalizationShift, initializer: .zeros),
        Parameter(
          name: "\(name).running_mean", shape: channels, role: .runningMean, initializer: .zeros, momentum: momentum),
        Parameter(
          name: "\(name).running_var", shape: channels, role: .runningVariance, initializer: .ones, momentum: momentum),
      ])
  }

  /// Drops features with the given probability while training (Srivastava et al., 2014). Probability 0 adds nothing.
  public func dropout(_ name: String, probability: Float) -> SymbolicTensor {
    precondition(probability >= 0 && probability < 1, "dropout \(name): \(probability) is not in 0..<1")
    if probability == 0 { return self }
    return apply(.dropout(probability: probability), name: trace.claim(name), shape: shape)
  }

  func requireRank(_ rank: Int, _ layer: String) {
    precondition(shape.count == rank, "\(layer) wants a tensor of \(rank) axes, not \(shape)")
  }
}
