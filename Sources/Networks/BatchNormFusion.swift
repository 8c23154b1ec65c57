/// What a batch normalisation does before it stores: the addition and the ReLU that follow it in a graph.
public struct BatchNormFusion: Sendable, Hashable {
  public var epsilon: Float
  /// Whether a residual is added.
  public var adds = false
  /// Where the ReLU behind it cuts off: infinity for a plain ReLU, 6 for ReLU6; nil without one.
  public var ceiling: Float?
  /// Backward: whether the gradient that another reader of x has found is added to dx.
  public var accumulates = false
}

extension Graph {
  /// The same computation with fewer passes over memory:
  ///
  /// - A batch normalisation takes along the addition of a residual and the ReLU behind it, and their gradients.
  /// - Where a ReLU stands ahead of a max pool, its gradient is taken behind the pool's, over fewer elements: outside of the
  ///   maxima both are zero, and a maximum is positive where its pool's result is.
  /// - The gradient that a normalisation passes on is added at once to the one found before it.
  ///
  /// - Parameter kept: values that must be there after a run.
  package func fused(keeping kept: [ValueID] = []) -> Graph {
    var pass = FusionPass(graph: self, kept: Set(kept))
    return pass.run()
  }
}

private struct FusionPass {
  let graph: Graph
  let kept: Set<Graph.ValueID>
  private var readers: [Graph.ValueID: [Int]] = [:]
  private var producer: [Graph.ValueID: Int] = [:]
  /// By a node of the graph, what stands in its place; nothing for a node that another one has taken along.
  private var replacements: [Int: [Graph.Node]] = [:]
  /// By a value that is not made any more, the one in whose layout its gradient lies.
  private var substitutes: [Graph.ValueID: Graph.ValueID] = [:]
  private var result: Graph

  init(graph: Graph, kept: Set<Graph.ValueID>) {
    (self.graph, self.kept, result) = (graph, kept, graph)
    for (index, node) in graph.nodes.enumerated() {
      for value in node.inputs { readers[value, default: []].append(index) }
      for value in node.outputs { producer[value] = index }
    }
  }

  mutating func run() -> Graph {
    for (index, node) in graph.nodes.enumerated() {
      switch node.operation {
      case .batchNorm, .batchNormInference: fuseNorm(index)
      case .maxPoolBackward: fusePoolBackward(index)
      default: break
      }
    }
    result.nodes = graph.nodes.enumerated().flatMap { replacements[$0.offset] ?? [$0.element] }
    result.values = result.values.map { value in
      let origin = value.gradientOf.map { substitutes[$0] ?? $0 }
      return Graph.Value(shape: value.shape, kind: value.kind, gradientOf: origin)
    }
    accumulate()
    return result
  }

  /// Lets the gradient of a batch normalisation be added to the one that its source has already.
  private mutating func accumulate() {
    var readers: [Graph.ValueID: [Int]] = [:]
    var producer: [Graph.ValueID: Int] = [:]
    for (index, node) in result.nodes.enumerated() {
      for value in node.inputs { readers[value, default: []].append(index) }
      for value in node.outputs { producer[value] = index }
    }
    var taken: Set<Int> = []
    for (index, node) in result.nodes.enumerated() {
      guard case .fusedBatchNormBackward(var fusion) = node.operation, node.outputs.count == 1,
        !kept.contains(node.outputs[0]), let sum = readers[node.outputs[0]]?.first,
        readers[node.outputs[0]]?.count == 1, result.nodes[sum].operation == .add,
        result.nodes[sum].inputs[1] == node.outputs[0], let earlier = producer[result.nodes[sum].inputs[0]],
        earlier < index
      else { continue }
      fusion.accumulates = true
      result.nodes[index] = Graph.Node(
        operation: .fusedBatchNormBackward(fusion), name: node.name,
        inputs: node.inputs + [result.nodes[sum].inputs[0]], outputs: result.nodes[sum].outputs,
        parameters: node.parameters, finishes: node.finishes)
      taken.insert(sum)
    }
    result.nodes = result.nodes.enumerated().filter { !taken.contains($0.offset) }.map(\.element)
  }

  /// The one node that reads a value which nothing else needs.
  private func onlyReader(_ value: Graph.ValueID) -> Int? {
    kept.contains(value) || readers[value]?.count != 1 ? nil : readers[value]?[0]
  }

  private func ceiling(_ operation: Graph.Operation) -> Float? {
    switch operation {
    case .relu: .infinity
    case .relu6: 6
    default: nil
    }
  }

  // MARK: batch normalisation

  private mutating func fuseNorm(_ index: Int) {
    let norm = graph.nodes[index]
    guard replacements[index] == nil, let (plain, isInference) = start(norm) else { return }
    var fusion = plain
    var inputs = norm.inputs
    var output = norm.outputs[0]
    var place = index
    var taken = [index]
    if let addition = onlyReader(output), graph.nodes[addition].operation == .add, replacements[addition] == nil,
      let residual = otherInput(graph.nodes[addition], than: output),
      // Of two normalisations that are added, the later one takes the addition along: then both are there.
      (producer[residual] ?? 0) < index
    {
      fusion.adds = true
      inputs.append(residual)
      output = graph.nodes[addition].outputs[0]
      place = addition
      taken.append(addition)
    }
    if let relu = onlyReader(output), let ceiling = ceiling(graph.nodes[relu].operation) {
      let backward = reluBackward(graph.nodes[relu].outputs[0])
      if backward == nil || fuseBackward(norm, &fusion, ceiling, graph.nodes[relu], backward: backward ?? 0) {
        fusion.ceiling = ceiling
        output = graph.nodes[relu].outputs[0]
        place = relu
        taken.append(relu)
      }
    }
    for index in taken {
      replacements[index] = []
      substitutes[graph.nodes[index].outputs[0]] = output
    }
    replacements[place] = [
      Graph.Node(
        operation: isInference ? .fusedBatchNormInference(fusion) : .fusedBatchNorm(fusion), name: norm.name,
        inputs: inputs, outputs: [output] + norm.outputs.dropFirst(), parameters: norm.parameters,
        finishes: norm.finishes)
    ]
    if fusion.ceiling == nil, let backward = normBackward(norm) {
      // Nothing of the backward pass changes, but for whose kernel it is.
      let node = graph.nodes[backward]
      replacements[backward] = [
        Graph.Node(
          operation: .fusedBatchNormBackward(plain), name: node.name,
          inputs: node.inputs, outputs: node.outputs, parameters: node.parameters, finishes: node.finishes)
      ]
    }
  }

  /// The fusion that a normalisation begins with.
  private func start(_ node: Graph.Node) -> (fusion: BatchNormFusion, isInference: Bool)? {
    switch node.operation {
    case .batchNorm(let epsilon): (BatchNormFusion(epsilon: epsilon), false)
    case .batchNormInference(let epsilon): (BatchNormFusion(epsilon: epsilon), true)
    default: nil
    }
  }

  private func otherInput(_ node: Graph.Node, than value: Graph.ValueID) -> Graph.ValueID? {
    let others = node.inputs.filter { $0 != value }
    return others.count == 1 ? others[0] : nil
  }

  private func reluBackward(_ result: Graph.ValueID) -> Int? {
    readers[result]?.first {
      let node = graph.nodes[$0]
      return (node.operation == .reluBackward || node.operation == .relu6Backward) && node.inputs[0] == result
    }
  }

  private func normBackward(_ norm: Graph.Node) -> Int? {
    guard norm.outputs.count > 1 else { return nil }
    return readers[norm.outputs[1]]?.first {
      if case .batchNormBackward = graph.nodes[$0].operation { return true }
      return false
    }
  }

  /// Lets the gradient of a batch normalisation take along that of the ReLU behind it.
  private mutating func fuseBackward(
    _ norm: Graph.Node, _ fusion: inout BatchNormFusion, _ ceiling: Float, _ relu: Graph.Node, backward index: Int
  ) -> Bool {
    guard let normIndex = normBackward(norm) else { return false }
    let reluBackward = graph.nodes[index]
    let node = graph.nodes[normIndex]
    let dz = reluBackward.outputs[0]
    guard node.inputs[3] == dz, !kept.contains(dz) else { return false }
    var backward = fusion
    backward.ceiling = ceiling
    var inputs = node.inputs
    inputs[3] = reluBackward.inputs[1]
    if fusion.adds {
      // dz is the residual's gradient too, so it is made where the ReLU's was.
      inputs.append(relu.outputs[0])
      replacements[index] = [
        Graph.Node(
          operation: .fusedBatchNormBackward(backward), name: node.name, inputs: inputs, outputs: node.outputs + [dz],
          parameters: node.parameters, finishes: node.finishes)
      ]
      replacements[normIndex] = []
    } else {
      guard readers[dz]?.count == 1 else { return false }
      replacements[index] = []
      replacements[normIndex] = [
        Graph.Node(
          operation: .fusedBatchNormBackward(backward), name: node.name, inputs: inputs, outputs: node.outputs,
          parameters: node.parameters, finishes: node.finishes)
      ]
    }
    return true
  }

  // MARK: max pools

  private mutating func fusePoolBackward(_ index: Int) {
    let pool = graph.nodes[index]
    guard let reluIndex = onlyReader(pool.outputs[0]), replacements[reluIndex] == nil, replacements[index] == nil
    else { return }
    let relu = graph.nodes[reluIndex]
    guard relu.operation == .reluBackward, relu.inputs[1] == pool.outputs[0],
      let forward = producer[pool.inputs[1]].map({ graph.nodes[$0] }), forward.inputs[0] == relu.inputs[0]
    else { return }
    let pooled = forward.outputs[0]
    let gradient = result.makeValue(graph[pooled].shape, gradientOf: pooled)
    replacements[index] = [
      Graph.Node(
        operation: .reluBackward, name: relu.name, inputs: [pooled, pool.inputs[0]], outputs: [gradient],
        parameters: [], finishes: relu.finishes)
    ]
    replacements[reluIndex] = [
      Graph.Node(
        operation: pool.operation, name: pool.name, inputs: [gradient, pool.inputs[1]], outputs: relu.outputs,
        parameters: [], finishes: pool.finishes)
    ]
  }
}
