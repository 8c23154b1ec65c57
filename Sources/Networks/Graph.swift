/// A model for one batch size as a list of nodes in the order of execution.
///
/// A graph is a value: tracing makes one, differentiation returns another that continues it. It knows shapes and names,
/// nothing of memory or kernels.
public struct Graph: Sendable {
  public struct ValueID: Sendable, Hashable {
    public let index: Int
    package init(_ index: Int) { self.index = index }
  }

  /// A tensor of 32-bit floats that one node makes and others read.
  public struct Value: Sendable {
    public enum Kind: Sendable, Hashable {
      /// Activations or their gradients.
      case activation
      /// Mean or variance of a batch, one number a channel.
      case statistic
      /// Bytes that a forward kernel leaves for its backward kernel; extent and form are the kernel's.
      case workspace
    }
    public let shape: [Int]
    public let kind: Kind
    /// The forward value of which this is the gradient; kernels keep both in one layout.
    public let gradientOf: ValueID?

    public var count: Int { shape.reduce(1, *) }
  }

  public struct Node: Sendable {
    public let operation: Operation
    /// The layer's name, as its parameters have it; unique among the forward nodes.
    public let name: String
    public let inputs: [ValueID]
    public let outputs: [ValueID]
    /// Indices into `parameters`, in the order that `Operation` states.
    public let parameters: [Int]
    /// Indices of the parameters whose gradient (or contribution) is final once this node has run.
    public let finishes: [Int]
  }

  public internal(set) var values: [Value] = []
  public internal(set) var nodes: [Node] = []
  public internal(set) var parameters: [Parameter] = []
  /// External tensors in order; the first is the images.
  public internal(set) var inputs: [ValueID] = []
  /// What the traced function returned: [samples, classes].
  public internal(set) var logits = ValueID(0)

  public subscript(_ value: ValueID) -> Value { values[value.index] }

  public var batchSize: Int { self[inputs[0]].shape[0] }

  /// Parameters in the order in which the backward pass makes their gradients final; empty before differentiation.
  public var finishingOrder: [Int] { nodes.flatMap(\.finishes) }

  mutating func makeInput(_ shape: [Int], gradientOf: ValueID? = nil) -> ValueID {
    let value = makeValue(shape, gradientOf: gradientOf)
    append(.input(index: inputs.count), name: "input", inputs: [], outputs: [value])
    inputs.append(value)
    return value
  }

  mutating func makeValue(_ shape: [Int], _ kind: Value.Kind = .activation, gradientOf: ValueID? = nil) -> ValueID {
    values.append(Value(shape: shape, kind: kind, gradientOf: gradientOf))
    return ValueID(values.count - 1)
  }

  mutating func append(
    _ operation: Operation, name: String, inputs: [ValueID], outputs: [ValueID], parameters: [Int] = [],
    finishes: [Int] = []
  ) {
    nodes.append(
      Node(
        operation: operation, name: name, inputs: inputs, outputs: outputs, parameters: parameters, finishes: finishes))
  }
}
