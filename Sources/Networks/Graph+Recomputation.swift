extension Graph {
  /// The same training step with less to keep: activations that `recomputation` names are made anew just ahead of the
  /// first backward node that reads them.
  ///
  /// It is a pure function of the graph. Means and variances of batch normalisations and the workspaces of pools are kept,
  /// so no statistic is counted twice; what is dropped out is a function of the layer's name. Graphs without a backward
  /// pass stay as they are.
  package func recomputing(_ recomputation: Recomputation) -> Graph {
    guard recomputation != .none, let pass = RecomputationPass(self) else { return self }
    let selective = pass.selective()
    switch recomputation {
    case .none: return self
    case .selective: return pass.rewritten(selective)
    case .full: return pass.rewritten(pass.full(beside: selective))
    }
  }
}

private struct RecomputationPass {
  let graph: Graph
  /// The place of the loss, behind which the backward pass begins.
  let loss: Int
  /// Forward nodes by what they make.
  private var producer: [Graph.ValueID: Graph.Node] = [:]
  private var isReadBackward: Set<Graph.ValueID> = []

  init?(_ graph: Graph) {
    guard
      let loss = graph.nodes.firstIndex(where: {
        if case .softmaxCrossEntropy = $0.operation { true } else { false }
      })
    else { return nil }
    (self.graph, self.loss) = (graph, loss)
    for node in graph.nodes[..<loss] { for value in node.outputs { producer[value] = node } }
    for node in graph.nodes[(loss + 1)...] { isReadBackward.formUnion(node.inputs.filter { producer[$0] != nil }) }
  }

  /// What the backward pass finds kept, beside what it reads and is not `rebuilt`.
  struct Selection {
    var rebuilt: Set<Graph.ValueID> = []
    /// Where segments begin.
    var ends: Set<Graph.ValueID> = []
  }

  // MARK: what to compute again

  /// Values that one pass over memory makes from others that are kept anyway. A node of several inputs is only taken where
  /// none of them is computed again itself, or there would be no end to the chain.
  func selective() -> Selection {
    var selection = Selection()
    var kept = Set(graph.inputs)
    var derived: Set<Graph.ValueID> = []
    for node in graph.nodes[..<loss] where !node.inputs.isEmpty {
      let value = node.outputs[0]
      let isChain = node.inputs.count == 1 && derived.contains(node.inputs[0])
      if node.operation.isOnePass && (isChain || node.inputs.allSatisfy(kept.contains)) {
        derived.insert(value)
        if isReadBackward.contains(value) { selection.rebuilt.insert(value) }
      } else if isReadBackward.contains(value) {
        kept.insert(value)
      }
    }
    return selection
  }

  /// The values to compute again so that the peak is least, and of those with that peak, few.
  ///
  /// Segments end where a single value crosses from what is before to what is behind (a residual block's result, each
  /// value of a plain chain). They are filled up to a budget (algorithm 3 of Chen et al.), for several budgets; then of
  /// each segment is kept after all what is not there at the peak.
  func full(beside selective: Selection) -> Selection {
    let cuts = cuts()
    var best: (peak: Int, segments: [Set<Graph.ValueID>], ends: Set<Graph.ValueID>)?
    var tried: Set<[Int]> = []
    var budget = cuts.reduce(0) { $0 + $1.bytes }
    while budget > 0 {
      let places = segmentEnds(cuts, budget: budget)
      budget = budget * 4 / 5
      guard tried.insert(places).inserted else { continue }
      let segments = segments(cuts, places)
      let ends = places.reduce(into: Set()) { $0.formUnion(cuts[$1].values) }
      let peak = peak(Selection(rebuilt: segments.reduce([]) { $0.union($1) }, ends: ends))
      if peak < best?.peak ?? .max { best = (peak, segments, ends) }
    }
    guard let best, best.peak < peak(selective) else { return selective }
    return cheapest(best.segments, ends: best.ends, peak: best.peak, selective)
  }

  /// Of each segment nothing, what `selective` names or all is computed again, the least that leaves the peak where all
  /// would have it. What comes first in the backward pass is decided first.
  private func cheapest(
    _ segments: [Set<Graph.ValueID>], ends: Set<Graph.ValueID>, peak least: Int, _ selective: Selection
  ) -> Selection {
    var chosen = segments
    func selection() -> Selection { Selection(rebuilt: chosen.reduce([]) { $0.union($1) }, ends: ends) }
    for index in segments.indices.reversed() {
      for choice in [[], segments[index].intersection(selective.rebuilt), segments[index]] {
        chosen[index] = choice
        if peak(selection()) <= least { break }
      }
    }
    return selection()
  }

  private struct Cut {
    let values: Set<Graph.ValueID>
    /// The place of the last one's producer.
    let node: Int
    /// What the backward pass reads of the nodes up to here, from the cut before on.
    let bytes: Int
  }

  private func cuts() -> [Cut] {
    var last: [Graph.ValueID: Int] = [:]
    for (index, node) in graph.nodes[...loss].enumerated() { for value in node.inputs { last[value] = index } }
    var live: Set<Graph.ValueID> = []
    var cuts: [Cut] = []
    var bytes = 0
    for (index, node) in graph.nodes[..<loss].enumerated() {
      let activations = node.outputs.filter { graph[$0].kind == .activation }
      live.formUnion(activations.filter { last[$0] != nil })
      live = live.filter { (last[$0] ?? 0) > index }
      bytes += activations.filter(isReadBackward.contains).reduce(0) { $0 + 4 * graph[$1].count }
      // What is made of the same inputs side by side, as the halves of split channels are, crosses as one.
      if !live.isEmpty, !live.isDisjoint(with: node.outputs), Set(live.map { producer[$0]?.inputs }).count == 1 {
        cuts.append(Cut(values: live, node: index, bytes: bytes))
        bytes = 0
      }
    }
    return cuts
  }

  /// The cuts at which a segment of at most `budget` bytes ends.
  private func segmentEnds(_ cuts: [Cut], budget: Int) -> [Int] {
    var ends: [Int] = []
    var bytes = 0
    for (index, cut) in cuts.enumerated() {
      if bytes > 0 && bytes + cut.bytes > budget {
        ends.append(index - 1)
        bytes = 0
      }
      bytes += cut.bytes
    }
    return ends
  }

  /// For each segment what would be computed again: everything that the backward pass reads, but for the segment's end.
  private func segments(_ cuts: [Cut], _ ends: [Int]) -> [Set<Graph.ValueID>] {
    var segments: [Set<Graph.ValueID>] = []
    var first = 0
    for end in ends.map({ cuts[$0] }) + [Cut(values: [graph.logits], node: loss - 1, bytes: 0)] {
      let values = graph.nodes[first...max(first, end.node)].flatMap(\.outputs)
      segments.append(
        Set(
          values.filter {
            graph[$0].kind == .activation && isReadBackward.contains($0) && !end.values.contains($0)
              && !(producer[$0]?.inputs.isEmpty ?? true)
          }))
      first = end.node + 1
    }
    return segments
  }

  private func peak(_ selection: Selection) -> Int { rewritten(selection).peakBytes() }

  // MARK: the graph with it

  func rewritten(_ selection: Selection) -> Graph {
    var result = graph
    result.nodes = Array(graph.nodes[...loss])
    // What the forward pass has left, and what was made again.
    var known: [Graph.ValueID: Graph.ValueID] = [:]
    let kept = kept(selection)
    func rebuild(_ value: Graph.ValueID) -> Graph.ValueID {
      if let known = known[value] { return known }
      guard !kept.contains(value), let node = producer[value] else { return value }
      let inputs = node.inputs.map(rebuild)
      let outputs = node.outputs.map { result.makeValue(graph[$0].shape, graph[$0].kind) }
      known[node.outputs[0]] = outputs[0]
      if case .fusedBatchNorm(let fusion) = node.operation {
        result.append(
          .fusedBatchNormAgain(fusion), name: node.name, inputs: inputs + node.outputs[1...], outputs: [outputs[0]],
          parameters: node.parameters)
      } else {
        result.append(
          node.operation, name: node.name, inputs: inputs, outputs: outputs, parameters: node.parameters)
      }
      return outputs[0]
    }
    for node in graph.nodes[(loss + 1)...] {
      let inputs = node.inputs.map(rebuild)
      result.append(
        node.operation, name: node.name, inputs: inputs, outputs: node.outputs, parameters: node.parameters,
        finishes: node.finishes)
    }
    return result
  }

  /// What stays in memory: images, what backward nodes read and is not chosen, and all that is no activation.
  private func kept(_ selection: Selection) -> Set<Graph.ValueID> {
    Set(
      producer.filter { value, node in
        node.inputs.isEmpty || graph[value].kind != .activation || selection.ends.contains(value)
          || (isReadBackward.contains(value) && !selection.rebuilt.contains(value))
      }.keys)
  }
}

extension Graph.Operation {
  /// Whether a forward operation is one pass over memory that leaves nothing but its result (and statistics).
  fileprivate var isOnePass: Bool {
    switch self {
    case .averagePool, .globalAveragePool, .relu, .relu6, .batchNorm, .fusedBatchNorm, .dropout, .add, .concatenate,
      .sliceChannels, .padChannels, .shuffleChannels, .gatherChannels, .reshape:
      true
    default: false
    }
  }
}
