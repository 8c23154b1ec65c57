/// Reads one shard's part of any global batch, when it is asked for and on the caller's thread: for workers that take what
/// is next to be done from a common counter, so that nobody knows it long before.
public final class PartReader {
  private let source: any ImageSource
  private let plan: EpochPlan
  private let normalisation: Normalisation
  private let augmentation: Augmentation
  private let shardCount: Int
  private let buffer: BatchBuffer
  private var scratch: BatchFiller.Scratch

  /// - Parameter shardCount: of the run.
  public init(
    source: any ImageSource, plan: EpochPlan, normalisation: Normalisation, augmentation: Augmentation = .none,
    of shardCount: Int
  ) {
    (self.source, self.plan, self.shardCount) = (source, plan, shardCount)
    (self.normalisation, self.augmentation) = (normalisation, augmentation)
    buffer = BatchBuffer(shards: 0..<1, capacity: plan.shardBatchSizes(of: shardCount).first ?? 0, shape: source.shape)
    scratch = BatchFiller.Scratch(shape: source.shape)
  }

  /// A shard's part of a global batch, counted from the start of the run; valid until the next call.
  public func read(globalStep: Int, shard: Int) throws -> GlobalBatch {
    let filler = BatchFiller(
      source: source, plan: plan, normalisation: normalisation, augmentation: augmentation, shards: shard..<shard + 1,
      shardCount: shardCount)
    let (epoch, step) = plan.position(globalStep: globalStep)
    try filler.fill(buffer, epoch: epoch, step: step, scratch: &scratch)
    let part = buffer.shards[0]
    return GlobalBatch(
      epoch: epoch, step: step, sampleCount: plan.positions(step: step).count,
      shards: [
        ShardBatch(shard: shard, count: part.count, images: part.images, labels: part.labels, ids: part.ids)
      ])
  }
}
