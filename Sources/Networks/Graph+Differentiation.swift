extension Graph {
  /// The graph of one training step: this forward graph, the loss, and the backward pass by reverse-mode
  /// differentiation.
  ///
  /// The gradients are those of Σ over the samples of cross-entropy × a scale given at run time (1 ÷ the samples of the
  /// global batch). A node that computes the gradient of parameters comes before the one that passes the gradient on, so
  /// that communication can start early. Nothing is computed that no parameter needs: the first layer has no
  /// backward-data.
  public func training(labelSmoothing: Float = 0) -> Graph {
    var adjoint = Adjoint(graph: self, includingInputs: false)
    let gradient = adjoint.graph.makeValue(self[logits].shape, gradientOf: logits)
    adjoint.graph.append(
      .softmaxCrossEntropy(labelSmoothing: labelSmoothing), name: "loss", inputs: [logits], outputs: [gradient])
    adjoint.run(from: logits, gradient)
    return adjoint.graph
  }

  /// The gradients of Σ(output · seed) by every value behind `output`, inputs included; `seed` is one more input.
  package func differentiated(from output: ValueID) -> (graph: Graph, seed: ValueID, gradients: [ValueID: ValueID]) {
    var adjoint = Adjoint(graph: self, includingInputs: true)
    let seed = adjoint.graph.makeInput(self[output].shape, gradientOf: output)
    adjoint.run(from: output, seed)
    return (adjoint.graph, seed, adjoint.gradients)
  }

  /// The graph of evaluation: batch norm by running statistics, no dropout, loss and correct answers.
  public func inference() -> Graph {
    var result = self
    result.nodes = []
    var replaced: [ValueID: ValueID] = [:]
    for node in nodes {
      let inputs = node.inputs.map { replaced[$0] ?? $0 }
      switch node.operation {
      case .dropout:
        replaced[node.outputs[0]] = inputs[0]
      case .batchNorm(let epsilon):
        result.append(
          .batchNormInference(epsilon: epsilon), name: node.name, inputs: inputs, outputs: [node.outputs[0]],
          parameters: node.parameters)
      default:
        result.append(
          node.operation, name: node.name, inputs: inputs, outputs: node.outputs, parameters: node.parameters)
      }
    }
    result.logits = replaced[logits] ?? logits
    result.append(.softmaxCrossEntropyLoss, name: "loss", inputs: [result.logits], outputs: [])
    return result
  }
}

/// The state of one differentiation: the graph that grows and the gradient found so far for each forward value.
private struct Adjoint {
  var graph: Graph
  private let forward: [Graph.Node]
  private(set) var gradients: [Graph.ValueID: Graph.ValueID] = [:]
  /// Forward values that depend on a trained parameter; only these need a gradient.
  private var needsGradient: Set<Graph.ValueID> = []

  init(graph: Graph, includingInputs: Bool) {
    self.graph = graph
    forward = graph.nodes
    if includingInputs { needsGradient.formUnion(graph.inputs) }
    for node in forward where !node.parameters.isEmpty || node.inputs.contains(where: needsGradient.contains) {
      needsGradient.formUnion(node.outputs)
    }
  }

  mutating func run(from output: Graph.ValueID, _ gradient: Graph.ValueID) {
    gradients[output] = gradient
    for node in forward.reversed() {
      // A value that the logits do not depend on has no gradient, nor have the parameters behind it.
      guard let output = node.outputs.first, let dy = gradients[output] else { continue }
      differentiate(node, dy)
    }
  }

  private mutating func differentiate(_ node: Graph.Node, _ dy: Graph.ValueID) {
    switch node.operation {
    case .input, .softmaxCrossEntropy, .softmaxCrossEntropyLoss: break
    case .convolution(let window, let groups, let hasBias):
      append(
        .convolutionBackwardWeights(window, groups: groups, hasBias: hasBias), node, [node.inputs[0], dy],
        finishes: node.parameters)
      propagate(.convolutionBackwardData(window, groups: groups), node, [dy], to: node.inputs[0])
    case .innerProduct(let hasBias):
      append(.innerProductBackwardWeights(hasBias: hasBias), node, [node.inputs[0], dy], finishes: node.parameters)
      propagate(.innerProductBackwardData, node, [dy], to: node.inputs[0])
    case .maxPool(let window): propagate(.maxPoolBackward(window), node, [dy, node.outputs[1]], to: node.inputs[0])
    case .averagePool(let window): propagate(.averagePoolBackward(window), node, [dy], to: node.inputs[0])
    case .globalAveragePool: propagate(.globalAveragePoolBackward, node, [dy], to: node.inputs[0])
    case .relu: propagate(.reluBackward, node, [node.outputs[0], dy], to: node.inputs[0])
    case .relu6: propagate(.relu6Backward, node, [node.outputs[0], dy], to: node.inputs[0])
    case .batchNorm(let epsilon):
      // The gradients of scale and shift come with dx, so this runs even where no one needs dx.
      let x = node.inputs[0]
      let dx = graph.makeValue(graph[x].shape, gradientOf: x)
      append(
        .batchNormBackward(epsilon: epsilon), node, [x, node.outputs[1], node.outputs[2], dy], outputs: [dx],
        finishes: Array(node.parameters[..<2]))
      append(.batchNormStatistics, node, Array(node.outputs[1...2]), finishes: Array(node.parameters[2...]))
      if needsGradient.contains(x) { add(dx, to: x) }
    case .dropout(let probability):
      propagate(.dropoutBackward(probability: probability), node, [dy], to: node.inputs[0])
    case .add:
      for input in node.inputs where needsGradient.contains(input) { add(dy, to: input) }
    case .concatenate:
      var offset = 0
      for input in node.inputs {
        propagate(.sliceChannels(offset: offset), node, [dy], to: input)
        offset += graph[input].shape[1]
      }
    case .sliceChannels(let offset): propagate(.padChannels(offset: offset), node, [dy], to: node.inputs[0])
    case .padChannels(let offset): propagate(.sliceChannels(offset: offset), node, [dy], to: node.inputs[0])
    case .shuffleChannels(let groups):
      propagate(.shuffleChannels(groups: graph[dy].shape[1] / groups), node, [dy], to: node.inputs[0])
    case .reshape: propagate(.reshape, node, [dy], to: node.inputs[0])
    default: preconditionFailure("\(node.operation) is not an operation of a training forward pass")
    }
  }

  /// Appends the operation that makes the gradient of `input`, unless no parameter needs it.
  private mutating func propagate(
    _ operation: Graph.Operation, _ node: Graph.Node, _ inputs: [Graph.ValueID], to input: Graph.ValueID
  ) {
    guard needsGradient.contains(input) else { return }
    let dx = graph.makeValue(graph[input].shape, gradientOf: input)
    append(operation, node, inputs, outputs: [dx])
    add(dx, to: input)
  }

  private mutating func append(
    _ operation: Graph.Operation, _ node: Graph.Node, _ inputs: [Graph.ValueID], outputs: [Graph.ValueID] = [],
    finishes: [Int] = []
  ) {
    graph.append(
      operation, name: node.name, inputs: inputs, outputs: outputs, parameters: node.parameters, finishes: finishes)
  }

  /// A value that several nodes read has the sum of their gradients, added in the order the backward pass makes them.
  private mutating func add(_ gradient: Graph.ValueID, to value: Graph.ValueID) {
    guard let earlier = gradients[value] else {
      gradients[value] = gradient
      return
    }
    let sum = graph.makeValue(graph[value].shape, gradientOf: value)
    graph.append(.add, name: "gradient-sum\(sum.index)", inputs: [earlier, gradient], outputs: [sum])
    gradients[value] = sum
  }
}
