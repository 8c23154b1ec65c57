/// How a part of a bucket is summed: an expression of its order, and where each partial sum is made.
struct Route {
  /// In postfix order, as in `SumExpression`.
  enum Term: Hashable {
    case shard(Int)
    /// The sum of the two values before it, made by the host of a shard.
    case plus(at: Int)
    /// The sum of the two values before it, made by every rank that hosts a shard of either.
    case plusEverywhere
    /// The value before it, taken to the host of a shard.
    case moved(to: Int)
  }

  var elements: Range<Int>
  var terms: [Term]
  /// The place in a row of parts that take the same way one behind the other.
  var segment = 0
}

/// The rounds of parts that take the same way one behind the other.
enum Pipeline: Hashable {
  /// Each hop is made by all segments in turn, so that one travels while another is added.
  case interleaved(segments: Int)
  /// A segment is one hop behind the one before, so that the hosts of a way are busy with different ones.
  case staggered

  /// The round in which a segment makes its hop number `hop`.
  func round(hop: Int, segment: Int) -> Int {
    switch self {
    case .interleaved(let segments): hop * segments + segment
    case .staggered: hop + segment
    }
  }

  /// The round that a hop's sums follow, which need to be there before the segment's hop number `hop`.
  func roundBefore(hop: Int, segment: Int) -> Int {
    hop == 0 ? -1 : round(hop: hop - 1, segment: segment)
  }
}
