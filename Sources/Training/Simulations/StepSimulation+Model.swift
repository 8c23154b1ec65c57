import Collectives
import Models
import Networks

extension StepSimulation {
  /// A step of a model: its buckets in the order in which the backward pass finishes them.
  ///
  /// The time of a step's computation is shared out by multiply-adds: a layer's forward pass has as many as each of the two
  /// halves of its backward pass, and all else takes no time.
  ///
  /// - Parameters:
  ///   - compute: seconds of the forward and the backward pass.
  ///   - bucketBytes: as `--bucket-size`.
  ///   - update: seconds of the update.
  public init(_ network: Network, compute: Double, update: Double, bucketBytes: Int, overlaps: Bool) {
    let graph = network.traced(batchSize: 1).training()
    let costs = graph.nodes.map(graph.multiplyAdds)
    let total = Double(max(costs.reduce(0, +), 1))
    var (sizes, moments): ([Int], [Double]) = ([], [])
    var done = 0
    for (node, cost) in zip(graph.nodes, costs) {
      done += cost
      for parameter in node.finishes {
        sizes.append(graph.parameters[parameter].count)
        moments.append(compute * Double(done) / total)
      }
    }
    let buckets = packBuckets(parameterSizes: sizes, capacity: bucketBytes).map { bucket in
      Bucket(elements: bucket.elements.count, ready: moments[bucket.parameters.upperBound - 1])
    }
    self.init(buckets: buckets, compute: compute, update: update, overlaps: overlaps)
  }
}

extension Graph {
  /// Multiply-adds of one sample in a convolution or inner product, forward or backward.
  fileprivate func multiplyAdds(_ node: Node) -> Int {
    let output: ValueID
    switch node.operation {
    case .convolution, .innerProduct: output = node.outputs[0]
    case .convolutionBackwardData, .innerProductBackwardData: output = node.inputs[0]
    case .convolutionBackwardWeights, .innerProductBackwardWeights: output = node.inputs[1]
    default: return 0
    }
    let pixels = self[output].shape.dropFirst(2).reduce(1, *)
    return node.parameters.first.map { parameters[$0].count * pixels } ?? 0
  }
}
