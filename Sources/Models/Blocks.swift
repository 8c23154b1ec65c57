import Networks

/// What several architectures are written with.
extension SymbolicTensor {
  /// A convolution without bias and the batch norm behind it: [n, c, h, w] → [n, outputs, h', w'].
  ///
  /// - Parameters:
  ///   - initializer: of the filters; He-normal over the fan-out if not given. The fan-out is outputs × height × width of a
  ///     filter whatever the groups, as PyTorch counts it.
  ///   - endsResidualBranch: whether the sum with the shortcut follows.
  func convolution(
    _ name: String, norm: String, outputs: Int, _ window: Window, groups: Int = 1, initializer: Initializer? = nil,
    endsResidualBranch: Bool = false
  ) -> SymbolicTensor {
    convolution(
      name, outputs: outputs, window, groups: groups, bias: false,
      initializer: initializer ?? .heNormal(fan: window.kernel.reduce(outputs, *))
    )
    .batchNorm(norm, endsResidualBranch: endsResidualBranch)
  }

  /// The average of each channel, as features: [n, c, h, w] → [n, c], with dropout.
  func pooledFeatures(dropout: Float, named name: String = "dropout") -> SymbolicTensor {
    globalAveragePool().flatten().dropout(name, probability: dropout)
  }

  /// A fully connected layer that starts as PyTorch's do: weights and biases uniform in ±1/√features.
  func linear(_ name: String, outputs: Int) -> SymbolicTensor {
    let start = Initializer.fanInUniform(fan: shape[1])
    return innerProduct(name, outputs: outputs, initializer: start, biasInitializer: start)
  }
}
