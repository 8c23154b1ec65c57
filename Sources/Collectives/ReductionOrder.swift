import Determinism

/// In which sequence the contributions of the shards to an element are added.
///
/// It fixes the bits of a sum and says nothing about who adds where: any number of ranks and any transport reproduce it.
/// An order cuts a bucket of n elements into S chunks, chunk c being part c of S in n.
public enum ReductionOrder: String, Sendable, CaseIterable {
  /// Chunk c adds shards c+1, c+2, …, S−1, 0, …, c, one after another.
  ///
  /// The order of the ring all-reduce (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
  /// workstations", J. Parallel Distrib. Comput. 69, 2009): a chunk starts on the rank after its owner and goes round.
  case ring

  /// The shards in the sequence in which they are added to a chunk, the sum growing from left to right.
  public func sequence(chunk: Int, shards: Int) -> [Int] {
    switch self {
    case .ring: (1...shards).map { (chunk + $0) % shards }
    }
  }

  /// The sum in this order, written plainly: the specification of everything that reduces.
  ///
  /// - Parameter contributions: one array for each shard, all of one length.
  public func reduceReference(_ contributions: [[Float]]) -> [Float] {
    let shards = contributions.count
    var sum = contributions[0]
    for chunk in 0..<shards {
      let sequence = sequence(chunk: chunk, shards: shards)
      for element in part(chunk, of: shards, in: sum.count) {
        var total = contributions[sequence[0]][element]
        for shard in sequence.dropFirst() { total += contributions[shard][element] }
        sum[element] = total
      }
    }
    return sum
  }
}
