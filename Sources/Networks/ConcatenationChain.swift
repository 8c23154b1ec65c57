/// Concatenations that add channels to one another's results, as the layers of a dense block do: each value is the first
/// channels of the next, so that all can lie in the memory of the last.
package struct ConcatenationChain {
  /// The results from the first, which has the fewest channels, to the last.
  package var values: [Graph.ValueID]
}

extension Graph {
  /// The chains of more than one concatenation of two values, where only normalisations and concatenations read the
  /// results: those kernels can step over channels that are not theirs.
  ///
  /// - Parameter kept: values that must lie on their own.
  package func concatenationChains(keeping kept: Set<ValueID> = []) -> [ConcatenationChain] {
    var isTakenApart: Set<ValueID> = kept
    for node in nodes {
      for (place, value) in node.inputs.enumerated() {
        switch node.operation {
        case .fusedBatchNorm, .fusedBatchNormAgain, .fusedBatchNormInference, .fusedBatchNormBackward, .concatenate:
          if place > 0 { isTakenApart.insert(value) }
        default: isTakenApart.insert(value)
        }
      }
    }
    var chains: [ConcatenationChain] = []
    var chainOfLast: [ValueID: Int] = [:]
    for node in nodes where node.operation == .concatenate && node.inputs.count == 2 {
      let value = node.outputs[0]
      guard !isTakenApart.contains(value) else { continue }
      if let chain = chainOfLast.removeValue(forKey: node.inputs[0]) {
        chains[chain].values.append(value)
        chainOfLast[value] = chain
      } else {
        chainOfLast[value] = chains.count
        chains.append(ConcatenationChain(values: [value]))
      }
    }
    return chains.filter { $0.values.count > 1 }
  }
}
