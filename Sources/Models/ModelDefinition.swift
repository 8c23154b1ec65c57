import Networks

/// What the program knows of a built-in model. A model's file adds one; `ModelName` gives it its name.
struct ModelDefinition: Sendable {
  typealias Images = Network.ImageExtents
  /// The traced function: images [n, c, h, w] → logits [n, classes].
  typealias Body = @Sendable (_ images: SymbolicTensor, _ classes: Int, _ dropout: Float) -> SymbolicTensor

  let summary: String
  /// The images and classes that the model is published with.
  let usualInput: Images
  let usualClasses: Int
  /// The least height and width that the model can take.
  let leastExtent: Int
  let restriction: Restriction?
  let body: Body

  /// What a model wants of images beyond a least extent.
  struct Restriction: Sendable {
    /// The images that the model takes, to follow "give".
    let wanted: String
    let holds: @Sendable (Images) -> Bool
  }

  init(
    _ summary: String, input: Images, classes: Int = 10, leastExtent: Int = 1, restriction: Restriction? = nil,
    _ body: @escaping Body
  ) {
    self.summary = summary
    usualInput = input
    usualClasses = classes
    self.leastExtent = leastExtent
    self.restriction = restriction
    self.body = body
  }

  /// A model that is published for the 1,000 classes of ImageNet, in images of 224×224 pixels.
  static func imageNet(
    _ summary: String, leastExtent: Int = 1, restriction: Restriction? = nil, _ body: @escaping Body
  ) -> ModelDefinition {
    ModelDefinition(
      summary, input: .init(3, 224, 224), classes: 1000, leastExtent: leastExtent, restriction: restriction, body)
  }
}
