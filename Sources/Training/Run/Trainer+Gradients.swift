import Collectives
import MPI
import TensorFiles

extension Trainer {
  /// The SHA-256 of the gradient of each shard, as it is before it is summed, in the standard layout. Collective.
  func gradientDigests() throws -> [String] {
    activity.enter(.computing)
    let own = try vectors.shardGradients.flatMap { gradient in
      activity.tick()
      return try tensorsDigest(state.tensors(of: gradient, prefix: "", trainableOnly: true)).bytes
    }
    activity.enter(.exchanging)
    let all = try world.allGatherVarying(own).flatMap { $0 }
    return stride(from: 0, to: all.count, by: 32).map { SHA256.Digest(bytes: Array(all[$0..<$0 + 32])).description }
  }
}
