import Determinism

/// Where a run's shards live: contiguous blocks of them, on ranks or on nodes.
///
/// A shard is a logical data-parallel worker. Every rank hosts at least one, but for parameter servers, which host none.
public struct Placement: Hashable, Sendable {
  /// The first shard of each rank, and the number of shards.
  private let bounds: [Int]

  /// Rank r of p hosts part r of the S shards; p is at most S.
  ///
  /// - Parameter servers: the last ranks, which are not counted in p.
  public init(shards: Int, ranks: Int, servers: Int = 0) {
    let workers = ranks - servers
    precondition(workers >= 1 && shards >= workers, "\(shards) shards on \(workers) ranks")
    bounds =
      (0..<workers).map { part($0, of: workers, in: shards).lowerBound } + Array(repeating: shards, count: servers + 1)
  }

  /// - Parameter blocks: of each rank, one after another, none empty.
  public init(blocks: [Range<Int>]) {
    precondition(!blocks.isEmpty && blocks[0].lowerBound == 0 && blocks.allSatisfy { !$0.isEmpty }, "\(blocks)")
    precondition(zip(blocks, blocks.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }, "\(blocks)")
    bounds = [0] + blocks.map(\.upperBound)
  }

  /// The number of shards, S.
  public var shards: Int { bounds[bounds.count - 1] }
  /// The number of ranks, servers included.
  public var ranks: Int { bounds.count - 1 }

  /// The shards of a rank; empty for a server alone.
  public func shards(of rank: Int) -> Range<Int> { bounds[rank]..<bounds[rank + 1] }

  /// The rank that hosts a shard.
  public func rank(of shard: Int) -> Int {
    precondition(shard >= 0 && shard < shards, "shard \(shard) of \(shards)")
    var (low, high) = (0, ranks)
    while high - low > 1 {
      let middle = (low + high) / 2
      if bounds[middle] <= shard { low = middle } else { high = middle }
    }
    return low
  }
}
