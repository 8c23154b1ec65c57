import Collectives
import TestSupport
import Testing

@Suite struct RingTests {
  /// Element counts at which chunks are empty, single or uneven.
  private func counts(shards: Int) -> [Int] {
    Array(Set([0, 1, shards - 1, shards, shards + 1, 2 * shards - 1, 31, 127, 509, 997])).sorted()
  }

  private func check(shards: Int, elements: Int, ranks: some Sequence<Int>) -> [String] {
    let contributions = contributions(shards: shards, elements: elements)
    let expected = ReductionOrder.ring.reduceReference(contributions)
    var wrong: [String] = []
    for p in ranks {
      let schedule = Schedule(order: .ring, elements: elements, placement: Placement(shards: shards, ranks: p))
      for (rank, result) in schedule.runInProcess(contributions).enumerated() where !sameBits(result, expected) {
        wrong.append("S = \(shards), p = \(p), n = \(elements), rank \(rank)")
      }
    }
    return wrong
  }

  @Test func bitsAreTheOrdersForAllPlacements() {
    for shards in 1...17 {
      for elements in counts(shards: shards) {
        #expect(check(shards: shards, elements: elements, ranks: 1...shards) == [])
      }
    }
  }

  @Test(arguments: [(2, 2), (3, 2), (4, 4), (5, 3), (7, 7), (12, 5)])
  func bitsAreTheOrdersForAllPrimes(shards: Int, ranks: Int) {
    for elements in primes(upTo: 1000) {
      #expect(check(shards: shards, elements: elements, ranks: [ranks]) == [])
    }
  }

  @Test(arguments: [4, 7]) func bitsAreTheOrdersForAMillion(shards: Int) {
    #expect(check(shards: shards, elements: 1_000_003, ranks: 1...shards) == [])
  }

  @Test func halvesMeetInTheOwnedRange() {
    for shards in 1...9 {
      for ranks in 1...shards {
        for elements in counts(shards: shards) {
          let schedule = Schedule(order: .ring, elements: elements, placement: Placement(shards: shards, ranks: ranks))
          let contributions = contributions(shards: shards, elements: elements)
          let expected = ReductionOrder.ring.reduceReference(contributions)
          var lockstep = Lockstep(schedule, memories: schedule.inProcessMemories(contributions))
          lockstep.reduceScatter()
          var next = 0
          for rank in 0..<ranks {
            let owned = schedule.owned(by: rank)
            #expect(owned.isEmpty || owned.lowerBound == next)
            let right = sameBits(Array(lockstep.memories[rank].result[owned]), Array(expected[owned]))
            #expect(right, "S = \(shards), p = \(ranks), n = \(elements), rank \(rank)")
            next += owned.count
          }
          #expect(next == elements)
        }
      }
    }
  }

  /// The comparison of bits can fail: on the same numbers, other orders end in other bits.
  @Test func anotherOrderHasOtherBits() {
    for shards in 3...17 {
      let contributions = contributions(shards: shards, elements: 997)
      let ring = ReductionOrder.ring.reduceReference(contributions)
      var ascending = contributions[0]
      for other in contributions.dropFirst() {
        for element in ascending.indices { ascending[element] += other[element] }
      }
      let same = sameBits(ring, ascending)
      #expect(!same, "S = \(shards)")
      // One shard's turn missed by one: chunk c starts with shard c.
      let turned = ReductionOrder.ring.reduceReference(Array(contributions.dropFirst()) + [contributions[0]])
      let sameTurned = sameBits(ring, turned)
      #expect(!sameTurned, "S = \(shards)")
    }
  }

  @Test func theOrderIsTheRings() {
    #expect(ReductionOrder.ring.sequence(chunk: 0, shards: 4) == [1, 2, 3, 0])
    #expect(ReductionOrder.ring.sequence(chunk: 2, shards: 4) == [3, 0, 1, 2])
    #expect(ReductionOrder.ring.sequence(chunk: 3, shards: 4) == [0, 1, 2, 3])
    #expect(ReductionOrder.ring.sequence(chunk: 0, shards: 1) == [0])
    // Each chunk has one element. In float32, 1 is lost when it is added to ±2²⁵: chunk 0 is ((2²⁵ + 1) − 2²⁵) + 1.
    let big: Float = 0x1p25
    let rows: [[Float]] = [[1, 1, 1, 1], [big, big, big, big], [1, 1, 1, 1], [-big, -big, -big, -big]]
    #expect(ReductionOrder.ring.reduceReference(rows) == [1, 0, 1, 0])
  }
}
