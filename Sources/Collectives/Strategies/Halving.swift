/// Which rank makes which partial sum of the tree order so that each exchange between equal halves of the tree halves what a
/// rank goes on with.
///
/// A bucket is cut into 2^K pieces, where K exchanges between ranks follow one another. A piece's index says, from its highest
/// bit on, which half it stays in at each of them, so what a rank goes on with is contiguous. Where the halves of the tree are
/// of different sizes the smaller one hands its sums over.
struct Halving {
  let placement: Placement
  let pieces: Int
  private let exchanges: Int

  init(_ placement: Placement) {
    self.placement = placement
    exchanges = Self.sum(of: 0..<placement.shards, placement, piece: 0, exchanges: 64).exchanges
    pieces = 1 << exchanges
  }

  func terms(piece: Int) -> [Route.Term] {
    Self.sum(of: 0..<placement.shards, placement, piece: piece, exchanges: exchanges).terms
  }

  private struct Sum {
    var terms: [Route.Term]
    /// A shard whose host has it.
    var host: Int
    /// How many exchanges between ranks led to it.
    var exchanges = 0
  }

  private static func sum(of shards: Range<Int>, _ placement: Placement, piece: Int, exchanges: Int) -> Sum {
    if shards.count == 1 { return Sum(terms: [.shard(shards.lowerBound)], host: shards.lowerBound) }
    let half = treeSplit(shards.count)
    let middle = shards.lowerBound + half
    let left = sum(of: shards.lowerBound..<middle, placement, piece: piece, exchanges: exchanges)
    let right = sum(of: middle..<shards.upperBound, placement, piece: piece, exchanges: exchanges)
    var sum = Sum(terms: left.terms + right.terms, host: left.host, exchanges: max(left.exchanges, right.exchanges))
    let isLocal = placement.rank(of: shards.lowerBound) == placement.rank(of: shards.upperBound - 1)
    if !isLocal && shards.count == 2 * half {
      if piece >> (exchanges - 1 - sum.exchanges) & 1 == 1 { sum.host = right.host }
      sum.exchanges += 1
    }
    sum.terms.append(.plus(at: sum.host))
    return sum
  }
}
