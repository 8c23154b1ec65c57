import CKernels
import Determinism

/// When and for whom something is encoded: with the tensor's name, the key of every random number.
public struct CodecMoment: Sendable, Hashable {
  public let seed: UInt64
  public let epoch: Int
  /// The global step.
  public let step: Int
  /// The shard whose contribution it is; nil for the finished sum and for what all shards draw alike.
  public let shard: Int?

  public init(seed: UInt64, epoch: Int, step: Int, shard: Int? = nil) {
    (self.seed, self.epoch, self.step, self.shard) = (seed, epoch, step, shard)
  }

  /// The same moment of another shard.
  public func of(shard: Int?) -> CodecMoment { CodecMoment(seed: seed, epoch: epoch, step: step, shard: shard) }

  /// Where a tensor's numbers are: element i of it draws word i of them, however it is cut.
  func draws(for tensor: CodecTensor) -> ck_draws {
    ck_draws(
      key: RandomStream(seed: seed, purpose: tensor.purpose).key,
      sample: shard.map { UInt32($0) + 1 } ?? 0, step: UInt32(truncatingIfNeeded: step), epoch: UInt32(epoch))
  }
}
