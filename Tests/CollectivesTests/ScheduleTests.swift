import Collectives
import Testing

@Suite struct ScheduleTests {
  @Test func placementCoversShardsInBlocks() {
    for shards in 1...64 {
      for ranks in 1...shards {
        let placement = Placement(shards: shards, ranks: ranks)
        #expect((0..<ranks).flatMap { Array(placement.shards(of: $0)) } == Array(0..<shards))
        #expect(
          (0..<ranks).allSatisfy { rank in placement.shards(of: rank).allSatisfy { placement.rank(of: $0) == rank } })
      }
    }
  }

  /// Every element ends with every shard's contribution once, in the stated order, on every rank.
  @Test func provedForUpTo64ShardsOnAnyRanks() {
    for shards in 1...64 {
      for ranks in 1...shards {
        let placement = Placement(shards: shards, ranks: ranks)
        for elements in shards <= 20 ? Set([1, shards - 1, shards, shards + 1]) : [shards + 1] {
          let proof = ScheduleProof(Schedule(order: .ring, elements: elements, placement: placement))
          #expect(proof.faults == [], "S = \(shards), p = \(ranks), n = \(elements)")
        }
      }
    }
  }

  /// Rounds and elements sent, counted from the order alone: walking along a chunk's sequence of shards, a message leaves
  /// a rank whenever the next shard lives elsewhere.
  @Test func costsAreThoseOfTheOrder() {
    for shards in 1...33 {
      for ranks in 1...shards {
        let placement = Placement(shards: shards, ranks: ranks)
        for elements in Set([0, 1, shards - 1, shards, shards + 1, 101]) {
          let schedule = Schedule(order: .ring, elements: elements, placement: placement)
          var sent = Array(repeating: 0, count: ranks)
          var rounds = 0
          var kept = Array(repeating: 0, count: ranks)
          for chunk in 0..<shards where !schedule.chunk(chunk).isEmpty {
            let hosts = schedule.order.sequence(chunk: chunk, shards: shards).map(placement.rank(of:))
            let leaving = zip(hosts, hosts.dropFirst()).filter { $0 != $1 }.map(\.0)
            for rank in leaving { sent[rank] += schedule.chunk(chunk).count }
            rounds = max(rounds, leaving.count)
            kept[hosts[shards - 1]] += schedule.chunk(chunk).count
          }
          for rank in 0..<ranks {
            let cost = ScheduleCost(schedule.program(of: rank))
            let place = "S = \(shards), p = \(ranks), n = \(elements), rank \(rank)"
            #expect(cost.reduceScatterRounds == rounds, "\(place)")
            #expect(cost.reduceScatterElements == sent[rank], "\(place)")
            // The finished sums of all ranks but the next pass through this one.
            #expect(cost.allGatherRounds == (elements == 0 ? 0 : ranks - 1), "\(place)")
            #expect(cost.allGatherElements == (ranks == 1 ? 0 : elements - kept[(rank + 1) % ranks]), "\(place)")
          }
        }
      }
    }
  }

  /// With a shard a rank it is the textbook ring: 2(p−1) rounds of one message, 2(p−1)/p·n elements from each rank.
  @Test func oneShardARankIsTheTextbookRing() {
    for ranks in 2...16 {
      let elements = 24 * ranks
      let schedule = Schedule(order: .ring, elements: elements, placement: Placement(shards: ranks, ranks: ranks))
      for rank in 0..<ranks {
        let cost = ScheduleCost(schedule.program(of: rank))
        #expect(cost.reduceScatterRounds == ranks - 1 && cost.allGatherRounds == ranks - 1)
        #expect(cost.messages == 2 * (ranks - 1))
        #expect(cost.reduceScatterElements == elements / ranks * (ranks - 1))
        #expect(cost.allGatherElements == elements / ranks * (ranks - 1))
        #expect(cost.additions == elements / ranks * (ranks - 1))
      }
    }
  }

  /// Where p divides S, the reducing half sends (S−1)/S·n from each rank.
  @Test func blocksOfShardsSendAllButOneChunk() {
    for ranks in 2...8 {
      for block in 2...5 {
        let shards = ranks * block
        let schedule = Schedule(order: .ring, elements: 6 * shards, placement: Placement(shards: shards, ranks: ranks))
        for rank in 0..<ranks {
          let cost = ScheduleCost(schedule.program(of: rank))
          #expect(cost.reduceScatterElements == 6 * (shards - 1))
          #expect(cost.reduceScatterRounds == ranks)
        }
      }
    }
  }

  @Test func oneRankSendsNothing() {
    for shards in 1...16 {
      let schedule = Schedule(order: .ring, elements: 50, placement: Placement(shards: shards, ranks: 1))
      #expect(ScheduleCost(schedule.program(of: 0)).messages == 0)
    }
  }
}
