import Networks

extension ModelDefinition {
  /// VGG-16 after Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014,
  /// configuration D. Names and start values are torchvision's.
  static let vgg16 = ModelDefinition.imageNet(
    "VGG-16 (configuration D): thirteen 3×3 convolutions, three fully connected layers", leastExtent: 224,
    restriction: Restriction(
      wanted: "images with sides of 224 to 287 pixels, 448 to 511, and so on in steps of 224, "
        + "which equal windows pool into 7×7",
      holds: { Window(cutting: [$0.height >> 5, $0.width >> 5], into: [7, 7]) != nil })
  ) { images, classes, dropout in
    var x = images
    var place = 0
    for (channels, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
      for _ in 0..<count {
        x = x.convolution(
          "features.\(place)", outputs: channels, .init(3, padding: 1), initializer: .heNormal(fan: channels * 9)
        ).relu()
        place += 2
      }
      x = x.maxPool(.init(2, stride: 2))
      place += 1
    }
    let start = Initializer.normal(deviation: 0.01)
    return x.adaptiveAveragePool(7, 7).flatten()
      .innerProduct("classifier.0", outputs: 4096, initializer: start).relu()
      .dropout("classifier.2", probability: dropout)
      .innerProduct("classifier.3", outputs: 4096, initializer: start).relu()
      .dropout("classifier.5", probability: dropout)
      .innerProduct("classifier.6", outputs: classes, initializer: start)
  }
}
