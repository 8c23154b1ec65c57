import Collectives
import TestSupport
import Testing

@Suite struct BitsTests {
  /// Element counts at which chunks are empty, single or uneven.
  private func counts(shards: Int) -> [Int] {
    Array(Set([0, 1, shards - 1, shards, shards + 1, 2 * shards - 1, 31, 127, 509, 997])).sorted()
  }

  /// Every strategy, and those with segments in several.
  private static let algorithms: [AllReduceAlgorithm] = AllReduceAlgorithm.allCases.filter(\.isReproducible)

  private func strategy(_ algorithm: AllReduceAlgorithm, elements: Int, shards: Int) -> Strategy {
    switch algorithm {
    case .segmentedRing: .ring(segments: 3)
    case .doubleTree: .doubleTree(segments: 2)
    default: algorithm.strategy(elements: elements, shards: shards) ?? .ring(segments: 1)
    }
  }

  private func check(
    _ algorithm: AllReduceAlgorithm, shards: Int, elements: Int, ranks: some Sequence<Int>
  ) -> [String] {
    let contributions = contributions(shards: shards, elements: elements)
    let strategy = strategy(algorithm, elements: elements, shards: shards)
    let expected = strategy.order.reduceReference(contributions)
    var wrong: [String] = []
    for p in ranks {
      let schedule = Schedule(strategy, elements: elements, placement: Placement(shards: shards, ranks: p))
      for (rank, result) in schedule.runInProcess(contributions).enumerated() where !sameBits(result, expected) {
        wrong.append("S = \(shards), p = \(p), n = \(elements), rank \(rank)")
      }
    }
    return wrong
  }

  @Test(arguments: algorithms) func bitsAreTheOrdersForAllPlacements(_ algorithm: AllReduceAlgorithm) {
    for shards in 1...17 {
      for elements in counts(shards: shards) {
        #expect(check(algorithm, shards: shards, elements: elements, ranks: 1...shards) == [])
      }
    }
  }

  @Test(arguments: [(2, 2), (3, 2), (4, 4), (5, 3), (7, 7), (12, 5)])
  func bitsAreTheOrdersForAllPrimes(shards: Int, ranks: Int) {
    for elements in primes(upTo: 1000) {
      for algorithm in [AllReduceAlgorithm.ring, .halvingDoubling] {
        #expect(check(algorithm, shards: shards, elements: elements, ranks: [ranks]) == [])
      }
    }
  }

  @Test(arguments: [4, 7], algorithms) func bitsAreTheOrdersForAMillion(shards: Int, _ algorithm: AllReduceAlgorithm) {
    #expect(check(algorithm, shards: shards, elements: 1_000_003, ranks: 1...shards) == [])
  }

  @Test(arguments: algorithms) func halvesMeetInTheOwnedRanges(_ algorithm: AllReduceAlgorithm) {
    for shards in 1...9 {
      for ranks in 1...shards {
        for elements in counts(shards: shards) {
          let strategy = strategy(algorithm, elements: elements, shards: shards)
          let schedule = Schedule(strategy, elements: elements, placement: Placement(shards: shards, ranks: ranks))
          let contributions = contributions(shards: shards, elements: elements)
          let expected = strategy.order.reduceReference(contributions)
          var lockstep = schedule.inProcess(contributions)
          lockstep.reduceScatter()
          var owners = Array(repeating: 0, count: elements)
          for rank in 0..<ranks {
            let result = lockstep.memories[rank].result
            for element in lockstep.programs[rank].owned.joined() {
              owners[element] += 1
              let right = result[element].bitPattern == expected[element].bitPattern
              #expect(right, "\(strategy), S = \(shards), p = \(ranks), n = \(elements), rank \(rank)")
            }
          }
          #expect(owners.allSatisfy { $0 == (strategy == .recursiveDoubling ? ranks : 1) })
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
}
