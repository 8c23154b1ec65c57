import Determinism

// The ring order over ranks that host blocks of shards.
//
// Chunk c starts on rank q, the host of shard c+1, which sums its own shards c+1, … to the end of its block. Then it hops
// from rank to rank; each adds its own shards in ascending order to the partial sum that came. If c+1 opens q's block
// the chunk ends after p−1 hops, else it comes back to q after p, which adds the shards before c+1. Either way it ends
// on the host of shard c. In round k, counted from 0, rank r sends to r+1 the chunks that started on rank r−k.
//
// With S = p this is the textbook ring: 2(p−1) rounds, 2(p−1)/p·n elements sent by each rank. In general the reducing half
// sends, summed over a rank's sends, the chunks of p−1 ranks' blocks and of one block less its first: (S−1)/S·n where
// p divides S.
//
// Nothing is sent for a chunk without elements; both sides know from the schedule.
extension Schedule {
  func ringProgram(of rank: Int) -> RankProgram {
    let p = placement.ranks
    let next = (rank + 1) % p
    let previous = (rank + p - 1) % p
    var program = RankProgram(rank: rank, owned: owned(by: rank))
    program.start = ringStart(on: rank)

    let longest = (0..<placement.shards).reduce(0) { chunk($1).isEmpty ? $0 : max($0, ringHops(chunk: $1)) }
    program.reduceScatter = (0..<(p == 1 ? 0 : longest)).map { k in
      let outgoing = (rank + p - k % p) % p
      let incoming = (previous + p - k % p) % p
      var round = Round()
      for chunks in ringChunks(startedOn: outgoing, hopping: k) where !self.chunks(chunks).isEmpty {
        // A block of one shard has nothing to add before the first hop: its contribution is sent from where it lies.
        let shards = placement.shards(of: rank)
        let source = k == 0 && shards.count == 1 ? Send.Source.contribution(shard: shards.lowerBound) : .result
        round.sends.append(Send(source: source, elements: self.chunks(chunks), destination: next))
      }
      for chunks in ringChunks(startedOn: incoming, hopping: k) where !self.chunks(chunks).isEmpty {
        round.receives.append(Receive(elements: self.chunks(chunks), source: previous))
        round.sums += ringSums(of: chunks, on: rank, back: incoming == rank)
      }
      return round
    }

    program.allGather = (0..<(elements == 0 ? 0 : p - 1)).map { k in
      var round = Round()
      let outgoing = owned(by: (rank + p - k) % p)
      let incoming = owned(by: (previous + p - k) % p)
      if !outgoing.isEmpty { round.sends = [Send(source: .result, elements: outgoing, destination: next)] }
      if !incoming.isEmpty { round.receives = [Receive(elements: incoming, source: previous)] }
      return round
    }
    return program
  }

  /// The number of messages that a chunk travels by until it is finished.
  public func ringHops(chunk: Int) -> Int {
    let first = (chunk + 1) % placement.shards
    let opensBlock = placement.shards(of: placement.rank(of: first)).lowerBound == first
    return placement.ranks == 1 ? 0 : opensBlock ? placement.ranks - 1 : placement.ranks
  }

  /// The chunks that started on a rank and hop once more after `hops` hops, as runs that follow one another: chunk c
  /// starts where shard c+1 lives, so rank 0 has the last chunk and the first ones.
  private func ringChunks(startedOn rank: Int, hopping hops: Int) -> [Range<Int>] {
    let block = placement.shards(of: rank)
    let others = block.lowerBound..<block.upperBound - 1
    // Only the chunk whose first shard opens the block is finished after p−1 hops.
    if hops == placement.ranks - 1 { return [others] }
    if block.lowerBound > 0 { return [block.lowerBound - 1..<block.upperBound - 1] }
    return [placement.shards - 1..<placement.shards, others]
  }

  /// What a rank adds before the first round: to each chunk that starts here, its own shards up to the end of its block.
  private func ringStart(on rank: Int) -> [LocalSum] {
    let block = placement.shards(of: rank)
    let sums = block.map { first in
      // One rank alone finishes the chunk: it goes on with shard 0.
      let wrapped = placement.ranks == 1 ? Array(0..<first) : []
      let chunk = (first + placement.shards - 1) % placement.shards
      return LocalSum(elements: self.chunk(chunk), ontoResult: false, shards: Array(first..<block.upperBound) + wrapped)
    }
    return block.count == 1 && placement.ranks > 1 ? [] : sums.filter { !$0.elements.isEmpty }
  }

  /// What a rank adds to chunks that came: its whole block; to those that came back to where they started, the shards
  /// that the start left out.
  private func ringSums(of chunks: Range<Int>, on rank: Int, back: Bool) -> [LocalSum] {
    let block = placement.shards(of: rank)
    guard back else { return [LocalSum(elements: self.chunks(chunks), ontoResult: true, shards: Array(block))] }
    return chunks.filter { !chunk($0).isEmpty }.map { last in
      LocalSum(elements: chunk(last), ontoResult: true, shards: Array(block.lowerBound...last))
    }
  }
}
