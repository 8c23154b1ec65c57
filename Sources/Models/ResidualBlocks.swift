import Networks

/// The blocks of He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, with torchvision's names.
extension SymbolicTensor {
  /// Stages `layer1`, `layer2`, … of so many blocks each. From stage to stage channels double and extents halve.
  func residualStages(
    _ blocks: [Int], channels: Int = 64,
    _ block: (_ x: SymbolicTensor, _ name: String, _ channels: Int, _ stride: Int) -> SymbolicTensor
  ) -> SymbolicTensor {
    var x = self
    for (stage, count) in blocks.enumerated() {
      for index in 0..<count {
        x = block(x, "layer\(stage + 1).\(index)", channels << stage, stage > 0 && index == 0 ? 2 : 1)
      }
    }
    return x
  }

  /// What a block adds to where its shape changes (section 3.3): option A, every other pixel with zeros for the new
  /// channels behind the old ones, has no parameters; option B is a 1×1 convolution.
  enum Shortcut { case subsampling, projection }

  /// Two 3×3 convolutions beside a shortcut (figure 5, left).
  func basicBlock(
    _ name: String, channels: Int, stride: Int, shortcut: Shortcut = .projection
  ) -> SymbolicTensor {
    let body =
      convolution(
        "\(name).conv1", norm: "\(name).bn1", outputs: channels, .init(3, stride: stride, padding: 1)
      )
      .relu()
      .convolution(
        "\(name).conv2", norm: "\(name).bn2", outputs: channels, .init(3, padding: 1), endsResidualBranch: true)
    return (body + residual(name, channels: channels, stride: stride, shortcut)).relu()
  }

  /// 1×1, 3×3 and 1×1 convolutions beside a shortcut (figure 5, right), to four times the channels. The stride is in the
  /// 3×3 convolution, which is more accurate than the paper's place (torchvision's "v1.5").
  ///
  /// - Parameter width: of the 3×3 convolution; with more than one group the block of Xie et al., 2016, figure 3c.
  func bottleneckBlock(
    _ name: String, channels: Int, stride: Int, width: Int? = nil, groups: Int = 1
  ) -> SymbolicTensor {
    let width = width ?? channels
    let body = convolution("\(name).conv1", norm: "\(name).bn1", outputs: width, .init(1)).relu()
      .convolution(
        "\(name).conv2", norm: "\(name).bn2", outputs: width, .init(3, stride: stride, padding: 1), groups: groups
      )
      .relu()
      .convolution(
        "\(name).conv3", norm: "\(name).bn3", outputs: 4 * channels, .init(1), endsResidualBranch: true)
    return (body + residual(name, channels: 4 * channels, stride: stride, .projection)).relu()
  }

  private func residual(_ name: String, channels: Int, stride: Int, _ shortcut: Shortcut) -> SymbolicTensor {
    if stride == 1 && shape[1] == channels { return self }
    switch shortcut {
    case .subsampling: return averagePool(.init(1, stride: stride)).padChannels(after: channels - shape[1])
    case .projection:
      return convolution(
        "\(name).downsample.0", norm: "\(name).downsample.1", outputs: channels, .init(1, stride: stride))
    }
  }
}
