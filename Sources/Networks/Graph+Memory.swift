extension Graph {
  /// The most bytes of values that are there at once, when each lives from its producer to its last reader: what an arena
  /// needs at least, without kernels' scratch memory and without what padding and packing add.
  ///
  /// Element-wise operations work in place where their input is not read again, as the planner has it.
  package func peakBytes() -> Int {
    var last = [Int](repeating: -1, count: values.count)
    for (index, node) in nodes.enumerated() {
      for value in node.outputs { last[value.index] = index }
      for value in node.inputs { last[value.index] = index }
    }
    // A chain's memory is taken as a whole by its first value.
    var whole: [ValueID: Int] = [:]
    for chain in concatenationChains() {
      guard let first = chain.values.first, let end = chain.values.last else { continue }
      for value in chain.values.dropFirst() { whole[value] = 0 }
      whole[first] = 4 * self[end].count
      last[first.index] = chain.values.map { last[$0.index] }.max() ?? 0
    }
    func bytes(_ value: ValueID) -> Int {
      if let bytes = whole[value] { return bytes }
      return self[value].kind == .workspace ? self[value].count : 4 * self[value].count
    }
    var (live, peak) = (0, 0)
    for (index, node) in nodes.enumerated() where !node.inputs.isEmpty {
      let made = node.outputs.reduce(0) { $0 + bytes($1) }
      let dying = Set(node.inputs).filter { last[$0.index] == index && !inputs.contains($0) }
      let freed = dying.reduce(0) { $0 + bytes($1) }
      let shared = node.operation.worksInPlace ? min(freed, node.outputs.first.map(bytes) ?? 0) : 0
      peak = max(peak, live + made - shared)
      live += made - freed
      live -= node.outputs.filter { last[$0.index] == index }.reduce(0) { $0 + bytes($1) }
    }
    return peak
  }
}

extension Graph.Operation {
  fileprivate var worksInPlace: Bool {
    switch self {
    case .relu, .relu6, .reluBackward, .relu6Backward, .dropout, .dropoutBackward, .add, .reshape, .batchNormInference,
      .batchNormBackward, .fusedBatchNorm, .fusedBatchNormAgain, .fusedBatchNormInference, .fusedBatchNormBackward:
      true
    default: false
    }
  }
}
