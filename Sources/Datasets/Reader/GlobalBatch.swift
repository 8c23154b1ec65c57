/// What the shards hosted by one rank take of a global batch, ready for the network.
///
/// Its memory belongs to the reader and is valid until the next one is asked for.
public struct GlobalBatch: Sendable {
  public let epoch: Int
  /// The step within the epoch, from 0.
  public let step: Int
  /// Samples of the whole global batch, over all shards of the run: the divisor of a gradient.
  public let sampleCount: Int
  /// The hosted shards, in ascending order.
  public let shards: [ShardBatch]
}

/// One shard's part of a global batch.
///
/// Every shard's memory starts at a multiple of 64 bytes, at the same place each time a buffer comes round.
public struct ShardBatch: @unchecked Sendable {
  // Sendable, because nobody writes to the memory while the batch is valid.

  /// The shard's number in the run.
  public let shard: Int
  /// n, the samples of the part; may be 0.
  public internal(set) var count: Int
  /// Normalised images, [n, C, H, W] row-major.
  public let images: UnsafePointer<Float>
  /// n labels.
  public let labels: UnsafePointer<Int32>
  /// n ids: numbers of the samples within their data set (`ImageSource.withSample`).
  public let ids: UnsafePointer<UInt32>
}
