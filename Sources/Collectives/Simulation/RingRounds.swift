import Determinism

/// The rounds of a ring in a closed form, for as many shards as ranks.
///
/// In hop k of the reducing half rank r sends chunk r − 1 − k to rank r + 1, which adds it; in the gathering half it sends chunk
/// r + k to rank r − 1, because finished sums go back the way they came. Each hop is made by all segments in turn.
public struct RingRounds: RoundSequence {
  public let ranks: Int
  public let elements: Int
  public let segments: Int

  public init(ranks: Int, elements: Int, segments: Int = 1) {
    (self.ranks, self.elements, self.segments) = (ranks, elements, segments)
  }

  public var rounds: Int { 2 * reducingRounds }
  var reducingRounds: Int { elements == 0 ? 0 : (ranks - 1) * segments }

  /// The chunk that a rank sends in a hop.
  func chunk(of rank: Int, hop: Int, gathers: Bool) -> Int {
    (gathers ? rank + hop : rank - 1 - hop + ranks) % ranks
  }

  func count(chunk: Int, segment: Int) -> Int {
    part(segment, of: segments, in: part(chunk, of: ranks, in: elements).count).count
  }

  public func fill(_ round: Int, into value: inout SimulatedRound) {
    let gathers = round >= reducingRounds
    let index = gathers ? round - reducingRounds : round
    let (hop, segment) = (index / segments, index % segments)
    for rank in 0..<ranks {
      let next = (gathers ? rank + ranks - 1 : rank + 1) % ranks
      let count = count(chunk: chunk(of: rank, hop: hop, gathers: gathers), segment: segment)
      value.send(rank, next, count)
      if gathers { continue }
      if segments == 1 || index == reducingRounds - 1 { value.add(next, count) }
      // Added while the next segment is under way.
      if segments > 1 && index > 0 {
        let (hop, segment) = ((index - 1) / segments, (index - 1) % segments)
        value.addMeanwhile(next, self.count(chunk: chunk(of: rank, hop: hop, gathers: false), segment: segment))
      }
    }
  }
}
