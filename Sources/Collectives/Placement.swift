import Determinism

/// Where a run's shards live: a contiguous block of them on each rank.
///
/// A shard is a logical data-parallel worker. Rank r of p hosts part r of the S shards, so every rank hosts at least one.
public struct Placement: Hashable, Sendable {
  /// The number of shards, S.
  public let shards: Int
  /// The number of ranks, p; at most S.
  public let ranks: Int

  public init(shards: Int, ranks: Int) {
    precondition(ranks >= 1 && shards >= ranks, "\(shards) shards on \(ranks) ranks")
    self.shards = shards
    self.ranks = ranks
  }

  /// The shards of a rank, never empty.
  public func shards(of rank: Int) -> Range<Int> { part(rank, of: ranks, in: shards) }

  /// The rank that hosts a shard.
  public func rank(of shard: Int) -> Int { partIndex(holding: shard, of: ranks, in: shards) }
}
