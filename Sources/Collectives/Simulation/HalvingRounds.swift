import Determinism

/// The rounds of halving and doubling in a closed form, for as many shards as ranks.
///
/// Ranks form blocks of descending powers of two. Within a block of 2^j, exchange i is with the rank whose number differs in
/// bit i: a rank goes on with the half of the bucket's pieces that its bit says. A smaller block then hands its sums over to the
/// next larger one. The gathering half is the mirror image.
public struct HalvingRounds: RoundSequence {
  public let ranks: Int
  public let elements: Int
  private let blocks: [Block]
  private let pieces: Int
  private let reducingRounds: Int

  private struct Block {
    var first: Int
    var bits: Int
    /// The round in which it hands its sums over.
    var handing = 0
    var size: Int { 1 << bits }
  }

  public init(ranks: Int, elements: Int) {
    (self.ranks, self.elements) = (ranks, elements)
    var blocks: [Block] = []
    var first = 0
    for bits in stride(from: 40, through: 0, by: -1) where ranks >> bits & 1 == 1 {
      blocks.append(Block(first: first, bits: bits))
      first += 1 << bits
    }
    // It needs its own exchanges, and the sums of the block after it.
    for index in blocks.indices.reversed() {
      let after = index + 1 < blocks.count ? blocks[index + 1].handing + 1 : 0
      blocks[index].handing = max(blocks[index].bits, after)
    }
    self.blocks = blocks
    pieces = 1 << blocks[0].bits
    reducingRounds = elements == 0 ? 0 : blocks[0].handing
  }

  public var rounds: Int { 2 * reducingRounds }

  public func fill(_ round: Int, into value: inout SimulatedRound) {
    let gathers = round >= reducingRounds
    let hop = gathers ? 2 * reducingRounds - 1 - round : round
    for (index, block) in blocks.enumerated() {
      if hop < block.bits { exchange(block, hop, gathers, &value) }
      if index > 0 && hop == block.handing { hand(block, to: blocks[index - 1], gathers, &value) }
    }
  }

  private func exchange(_ block: Block, _ hop: Int, _ gathers: Bool, _ value: inout SimulatedRound) {
    for place in 0..<block.size {
      let (rank, partner) = (block.first + place, block.first + (place ^ 1 << hop))
      // What the partner goes on with.
      let sent = count(place ^ 1 << hop, exchanges: hop + 1)
      let kept = count(place, exchanges: hop + 1)
      if gathers {
        value.send(rank, partner, kept)
        continue
      }
      value.send(rank, partner, sent)
      value.add(rank, kept)
    }
  }

  private func hand(_ block: Block, to larger: Block, _ gathers: Bool, _ value: inout SimulatedRound) {
    let ratio = larger.size / block.size
    for place in 0..<block.size {
      for high in 0..<ratio {
        let other = place + high * block.size
        let elements = count(other, exchanges: larger.bits)
        let (rank, partner) = (block.first + place, larger.first + other)
        if gathers { value.send(partner, rank, elements) } else { value.send(rank, partner, elements) }
        if !gathers { value.add(partner, elements) }
      }
    }
  }

  /// Elements that a rank at a place of its block goes on with after so many exchanges: the lowest bit of the place says in
  /// which half they lie, the next one in which quarter, and so on.
  private func count(_ place: Int, exchanges: Int) -> Int {
    var index = 0
    for bit in 0..<exchanges { index = index << 1 | place >> bit & 1 }
    let width = pieces >> exchanges
    return part((index + 1) * width - 1, of: pieces, in: elements).upperBound
      - part(index * width, of: pieces, in: elements).lowerBound
  }
}
