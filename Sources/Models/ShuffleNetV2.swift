import Networks

/// ShuffleNetV2 after Ma, Zhang, Zheng and Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture
/// design", 2018, table 5. Names and start values are torchvision's, whose filters are uniform in ±1/√fan-in.
extension ModelDefinition {
  static let shuffleNetV2 = ModelDefinition.imageNet(
    "ShuffleNet v2 1.0×: sixteen units of split, depthwise convolution and shuffle"
  ) { images, classes, dropout in
    var x = images.uniformConvolution("conv1.0", "conv1.1", outputs: 24, .init(3, stride: 2, padding: 1)).relu()
      .maxPool(.init(3, stride: 2, padding: 1))
    for (stage, channels, count) in [(2, 116, 4), (3, 232, 8), (4, 464, 4)] {
      x = x.reducingUnit("stage\(stage).0", channels: channels)
      for index in 1..<count { x = x.splittingUnit("stage\(stage).\(index)") }
    }
    return x.uniformConvolution("conv5.0", "conv5.1", outputs: 1024, .init(1)).relu()
      .pooledFeatures(dropout: dropout)
      .linear("fc", outputs: classes)
  }
}

extension SymbolicTensor {
  /// Figure 3c: half of the channels passes by, the other half is convolved; then both are shuffled.
  fileprivate func splittingUnit(_ name: String) -> SymbolicTensor {
    let half = shape[1] / 2
    let convolved = slice(channels: half..<shape[1]).mainBranch("\(name).branch2", outputs: half, stride: 1)
    return .concatenate([slice(channels: 0..<half), convolved]).shuffleChannels(groups: 2)
  }

  /// Figure 3d: both branches see all channels and halve the extents.
  fileprivate func reducingUnit(_ name: String, channels: Int) -> SymbolicTensor {
    let side = "\(name).branch1"
    let first = uniformConvolution(
      "\(side).0", "\(side).1", outputs: shape[1], .init(3, stride: 2, padding: 1), groups: shape[1]
    )
    .uniformConvolution("\(side).2", "\(side).3", outputs: channels / 2, .init(1)).relu()
    let second = mainBranch("\(name).branch2", outputs: channels / 2, stride: 2)
    return .concatenate([first, second]).shuffleChannels(groups: 2)
  }

  private func mainBranch(_ name: String, outputs: Int, stride: Int) -> SymbolicTensor {
    uniformConvolution("\(name).0", "\(name).1", outputs: outputs, .init(1)).relu()
      .uniformConvolution(
        "\(name).3", "\(name).4", outputs: outputs, .init(3, stride: stride, padding: 1), groups: outputs
      )
      .uniformConvolution("\(name).5", "\(name).6", outputs: outputs, .init(1)).relu()
  }

  fileprivate func uniformConvolution(
    _ name: String, _ norm: String, outputs: Int, _ window: Window, groups: Int = 1
  ) -> SymbolicTensor {
    let fan = window.kernel.reduce(shape[1] / groups, *)
    return convolution(
      name, norm: norm, outputs: outputs, window, groups: groups, initializer: .fanInUniform(fan: fan))
  }
}
