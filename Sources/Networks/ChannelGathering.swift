extension Graph {
  /// The same computation with shuffles of channels taken together with what stands beside them: the concatenation, or the
  /// sum of padded gradients, ahead of a shuffle, and the slices behind it. Each slice is then made from the concatenation's
  /// inputs in one pass, and what lies between is never there.
  ///
  /// - Parameter kept: values that must be there after a run.
  package func gatheringChannels(keeping kept: [ValueID] = []) -> Graph {
    var pass = GatheringPass(graph: self, kept: Set(kept))
    return pass.run()
  }
}

private struct GatheringPass {
  let graph: Graph
  let kept: Set<Graph.ValueID>
  private var readers: [Graph.ValueID: [Int]] = [:]
  private var producer: [Graph.ValueID: Int] = [:]
  /// By a node of the graph, what stands in its place.
  private var replacements: [Int: [Graph.Node]] = [:]

  /// Values side by side, and which of all their channels another value has; −1 for zeros.
  private struct Gathering {
    var sources: [Graph.ValueID]
    var channels: [Int]
  }

  init(graph: Graph, kept: Set<Graph.ValueID>) {
    (self.graph, self.kept) = (graph, kept)
    for (index, node) in graph.nodes.enumerated() {
      for value in node.inputs { readers[value, default: []].append(index) }
      for value in node.outputs { producer[value] = index }
    }
  }

  mutating func run() -> Graph {
    for (index, node) in graph.nodes.enumerated() {
      if case .shuffleChannels(let groups) = node.operation { take(index, node, groups) }
    }
    var result = graph
    result.nodes = graph.nodes.enumerated().flatMap { replacements[$0.offset] ?? [$0.element] }
    // A gradient lies as the value it belongs to, so that one must be there. Slices that overlap would leave gradients of
    // values that are not.
    let made = Set(result.nodes.flatMap(\.outputs))
    let areThere = made.allSatisfy { value in graph[value].gradientOf.map(made.contains) ?? true }
    return areThere ? result : graph
  }

  private mutating func take(_ index: Int, _ shuffle: Graph.Node, _ groups: Int) {
    let assembled = assembled(shuffle.inputs[0], for: index)
    let count = assembled.channels.count
    let shuffled = (0..<count).map { assembled.channels[$0 % groups * (count / groups) + $0 / groups] }
    let result = shuffle.outputs[0]
    var nodes: [Graph.Node] = []
    var needsWhole = kept.contains(result)
    for reader in readers[result] ?? [] {
      let node = graph.nodes[reader]
      guard case .sliceChannels(let offset) = node.operation else {
        needsWhole = true
        continue
      }
      let extent = graph[node.outputs[0]].shape[1]
      nodes.append(gather(assembled.sources, Array(shuffled[offset..<(offset + extent)]), node))
      replacements[reader] = []
    }
    if needsWhole { nodes.insert(gather(assembled.sources, shuffled, shuffle), at: 0) }
    replacements[index] = nodes
  }

  private func gather(_ sources: [Graph.ValueID], _ channels: [Int], _ node: Graph.Node) -> Graph.Node {
    Graph.Node(
      operation: .gatherChannels(channels), name: node.name, inputs: sources, outputs: node.outputs, parameters: [],
      finishes: node.finishes)
  }

  /// What a value that one node alone reads is put together from; it is not made any more then.
  private mutating func assembled(_ value: Graph.ValueID, for reader: Int) -> Gathering {
    let whole = Gathering(sources: [value], channels: Array(0..<graph[value].shape[1]))
    guard let index = producer[value], isOnly(reader, value) else { return whole }
    let node = graph.nodes[index]
    switch node.operation {
    case .concatenate:
      replacements[index] = []
      return Gathering(sources: node.inputs, channels: whole.channels)
    case .add:
      let pads = node.inputs.compactMap { input in
        producer[input].flatMap { isOnly(index, input) ? $0 : nil }
      }
      var channels = [Int](repeating: -1, count: whole.channels.count)
      var sources: [Graph.ValueID] = []
      var next = 0
      for pad in pads {
        let node = graph.nodes[pad]
        guard case .padChannels(let offset) = node.operation else { return whole }
        for channel in 0..<graph[node.inputs[0]].shape[1] {
          // Where both have channels there is something to add.
          if channels[offset + channel] >= 0 { return whole }
          channels[offset + channel] = next
          next += 1
        }
        sources.append(node.inputs[0])
      }
      guard pads.count == 2, pads[0] != pads[1] else { return whole }
      for index in pads + [index] { replacements[index] = [] }
      return Gathering(sources: sources, channels: channels)
    default: return whole
    }
  }

  private func isOnly(_ reader: Int, _ value: Graph.ValueID) -> Bool {
    readers[value] == [reader] && !kept.contains(value)
  }
}
