/// A model: a function from the symbolic images of a batch to symbolic logits, with the shape it was made for.
///
///     let network = Network(name: "small", input: ImageExtents(1, 28, 28), classes: 10) { images in
///       images
///         .convolution("conv1", outputs: 16, .init(3, padding: 1)).relu()
///         .maxPool(.init(2, stride: 2))
///         .flatten()
///         .innerProduct("fc", outputs: 10)
///     }
public struct Network: Sendable {
  /// Channels, height and width of one image.
  public struct ImageExtents: Sendable, Hashable, CustomStringConvertible {
    public var channels: Int
    public var height: Int
    public var width: Int
    public init(_ channels: Int, _ height: Int, _ width: Int) {
      (self.channels, self.height, self.width) = (channels, height, width)
    }
    public var count: Int { channels * height * width }
    public var description: String { "\(channels)×\(height)×\(width)" }
  }

  public let name: String
  public let input: ImageExtents
  public let classes: Int
  private let body: @Sendable (SymbolicTensor) -> SymbolicTensor

  public init(
    name: String, input: ImageExtents, classes: Int, _ body: @escaping @Sendable (SymbolicTensor) -> SymbolicTensor
  ) {
    self.name = name
    self.input = input
    self.classes = classes
    self.body = body
  }

  /// The forward graph for batches of `batchSize` images, which ends with the logits.
  public func traced(batchSize: Int) -> Graph {
    precondition(batchSize > 0)
    let trace = Trace()
    let shape = [batchSize, input.channels, input.height, input.width]
    let logits = body(trace.input(shape))
    precondition(
      logits.shape == [batchSize, classes],
      "model \(name) returns \(logits.shape) for a batch of \(batchSize); it is to return logits \([batchSize, classes])"
    )
    trace.graph.logits = logits.value
    return trace.graph
  }

  /// Whether the model has residual branches that end in a batch norm, so that they can start at zero.
  public var hasResidualBranches: Bool { traced(batchSize: 1).parameters.contains(where: \.endsResidualBranch) }
}
