import Collectives
import Engine

/// The mean of a vector that every shard has, added in the order of the run's all-reduce.
///
/// It uses the memory of the gradients, which are done with when shards meet.
final class ShardMean {
  let shards: Int
  private let reducer: GradientReducer
  private let vectors: RunVectors
  /// Of one sum, by which methods are compared; those who meet count their meetings, for others are for evaluations and saves.
  let modelledBytes: Int

  /// - Parameter vectors: with a sum of the rank's own.
  init(_ reducer: GradientReducer, _ vectors: RunVectors) {
    (self.reducer, self.vectors, shards) = (reducer, vectors, reducer.placement.shards)
    modelledBytes = reducer.modelledBytes
    precondition(vectors.sharing == nil, "a mean is of whole vectors")
  }

  var sentBytes: Int { reducer.traffic.bytes }

  /// The sum of the shards' gradients, which is valid until the next call. Collective.
  func sumOfGradients() throws -> FloatBuffer {
    try reducer.finish()
    // Nobody writes where another rank of the node still reads: the next mean, or the next step, may follow at once.
    vectors.memory?.barrier()
    return vectors.gradient
  }

  /// The mean of a vector of each shard, which is valid until the next call. Collective.
  ///
  /// - Parameter own: of the shards that this rank hosts.
  func of(_ own: [FloatBuffer]) throws -> FloatBuffer {
    for (place, vector) in zip(vectors.shardGradients, own) { place.assign(from: vector) }
    let sum = try sumOfGradients()
    scale(sum, by: 1 / Float(shards))
    return sum
  }
}
