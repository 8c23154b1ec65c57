import Collectives
import Engine

/// The mean of a vector that every shard has, added in the order of the run's all-reduce.
///
/// It uses the memory of the gradients, which are done with when shards meet.
final class ShardMean {
  let shards: Int
  private let reducer: GradientReducer
  private let vectors: RunVectors
  private var sums = 0
  private let bytes: Int

  /// - Parameter vectors: with a sum of the rank's own.
  init(_ reducer: GradientReducer, _ vectors: RunVectors) {
    (self.reducer, self.vectors, shards) = (reducer, vectors, reducer.placement.shards)
    bytes = reducer.modelledBytes
    precondition(vectors.sharing == nil, "a mean is of whole vectors")
  }

  var traffic: MethodTraffic { MethodTraffic(sent: reducer.traffic.bytes, modelled: sums * bytes) }

  /// The sum of the shards' gradients, which is valid until the next call. Collective.
  func sumOfGradients() throws -> FloatBuffer {
    sums += 1
    try reducer.finish()
    // Nobody writes where another rank of the node still reads: the next mean, or the next step, may follow at once.
    vectors.memory?.barrier()
    return vectors.gradient
  }

  /// The mean of a vector of each shard, which is valid until the next call. Collective.
  ///
  /// - Parameters:
  ///   - own: of the shards that this rank hosts.
  ///   - isCounted: whether it is a part of the method, which methods are compared by, rather than for an evaluation or a save.
  func of(_ own: [FloatBuffer], isCounted: Bool = true) throws -> FloatBuffer {
    for (place, vector) in zip(vectors.shardGradients, own) { place.assign(from: vector) }
    let sum = try sumOfGradients()
    if !isCounted { sums -= 1 }
    scale(sum, by: 1 / Float(shards))
    return sum
  }
}
