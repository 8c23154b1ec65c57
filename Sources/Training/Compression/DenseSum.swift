import Compression
import Engine

/// What a codec leaves as it is, small tensors and running statistics, in one all-reduce in ring order.
final class DenseSum {
  private let tensors: [CompressedTensors.Dense]
  private let corrects: DeepGradientCompression?
  private let context: EncodingContext
  private let vectors: RunVectors
  private let factors: FactorSum

  /// Collective.
  ///
  /// - Parameter corrects: a codec that applies momentum to these tensors too.
  init(
    _ tensors: [CompressedTensors.Dense], _ corrects: DeepGradientCompression?, _ context: EncodingContext,
    _ vectors: RunVectors
  ) throws {
    (self.tensors, self.corrects, self.context, self.vectors) = (tensors, corrects, context, vectors)
    factors = try FactorSum(tensors.map(\.tensor.count), context.ranks)
  }

  var traffic: MethodTraffic { factors.traffic }

  /// Collective.
  func run(_ moment: CompressedSum.Moment) throws {
    for (place, dense) in tensors.enumerated() {
      let tensor = dense.tensor
      for (index, shard) in context.hosted.enumerated() {
        let to = factors.own(index, place)
        if let corrects, dense.isTrainable {
          let contribution = context.contribution(
            index, tensor, decays: dense.decays, moment, gradients: vectors.shardGradients)
          corrects.correct(
            contribution, of: tensor, slots: context.slots(of: shard, corrects.slots.count, tensor), into: to)
        } else {
          to.update(from: vectors.shardGradients[index].pointer + tensor.elements.lowerBound, count: tensor.count)
        }
      }
    }
    try factors.run()
    for (place, dense) in tensors.enumerated() {
      (vectors.gradient.pointer + dense.tensor.elements.lowerBound)
        .update(from: factors.sum(place), count: dense.tensor.count)
    }
  }
}
