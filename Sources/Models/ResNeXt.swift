import Networks

extension ModelDefinition {
  /// ResNeXt-50 (32×4d) after Xie, Girshick, Dollár, Tu and He, "Aggregated residual transformations for deep neural
  /// networks", 2016: ResNet-50 with 3×3 convolutions of 32 groups, 4 channels each in the first stage. Names and start
  /// values are torchvision's.
  static let resNeXt50 = residualNetwork(
    "ResNeXt-50 32×4d: bottlenecks with 3×3 convolutions of 32 groups", [3, 4, 6, 3]
  ) {
    $0.bottleneckBlock($1, channels: $2, stride: $3, width: 2 * $2, groups: 32)
  }
}
