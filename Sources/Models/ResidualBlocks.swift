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

  /// Two 3×3 convolutions beside a shortcut (figure 5, left).
  func basicBlock(
    _ name: String, channels: Int, stride: Int
  ) -> SymbolicTensor {
    let body =
      convolution(
        "\(name).conv1", norm: "\(name).bn1", outputs: channels, .init(3, stride: stride, padding: 1)
      )
      .relu()
      .convolution("\(name).conv2", norm: "\(name).bn2", outputs: channels, .init(3, padding: 1))
    return (body + residual(name, channels: channels, stride: stride)).relu()
  }

  private func residual(_ name: String, channels: Int, stride: Int) -> SymbolicTensor {
    if stride == 1 && shape[1] == channels { return self }
    return convolution(
      "\(name).downsample.0", norm: "\(name).downsample.1", outputs: channels, .init(1, stride: stride))
  }
}
