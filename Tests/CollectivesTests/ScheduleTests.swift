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

  @Test func blocksOfAnySizeArePlaced() {
    let placement = Placement(blocks: [0..<3, 3..<4, 4..<9])
    #expect(placement.shards == 9 && placement.ranks == 3)
    #expect((0..<9).map(placement.rank(of:)) == [0, 0, 0, 1, 2, 2, 2, 2, 2])
  }

  /// Every element ends with every shard's contribution once, with the stated parentheses, on every rank.
  @Test(arguments: AllReduceAlgorithm.allCases.filter { $0.isReproducible && $0 != .auto })
  func provedForUpTo64ShardsOnAnyRanks(_ algorithm: AllReduceAlgorithm) throws {
    for shards in 1...64 {
      let few = [1, 2, 3, 5, 8, shards / 2, shards - 1, shards]
      for ranks in 1...shards where shards <= 16 || few.contains(ranks) {
        let placement = Placement(shards: shards, ranks: ranks)
        for elements in shards <= 9 ? Set([1, shards - 1, shards, shards + 1]) : [shards + 1] {
          for strategy in try strategies(algorithm, elements: elements, shards: shards) {
            let proof = ScheduleProof(Schedule(strategy, elements: elements, placement: placement))
            #expect(proof.faults == [], "\(strategy), S = \(shards), p = \(ranks), n = \(elements)")
          }
        }
      }
    }
  }

  /// The algorithm's own choice and, where it has segments, several, so that few elements show the pipeline.
  private func strategies(_ algorithm: AllReduceAlgorithm, elements: Int, shards: Int) throws -> [Strategy] {
    let usual = try #require(algorithm.strategy(elements: elements, shards: shards))
    switch usual {
    case .ring: return algorithm == .segmentedRing ? [.ring(segments: 2), .ring(segments: 3)] : [usual]
    case .doubleTree: return [usual, .doubleTree(segments: 3)]
    case .torus: return [usual, .torus(columns: min(4, shards))]
    case .hierarchical: return [usual, .hierarchical(columns: min(4, shards))]
    default: return [usual]
    }
  }

  /// Blocks of any size, as nodes have them.
  @Test func provedForUnevenBlocks() {
    for blocks in [[1, 3, 2], [5, 1, 1, 4], [2, 2, 7], [8, 1]] {
      var ranges: [Range<Int>] = []
      for count in blocks { ranges.append((ranges.last?.upperBound ?? 0)..<(ranges.last?.upperBound ?? 0) + count) }
      let placement = Placement(blocks: ranges)
      for algorithm in AllReduceAlgorithm.allCases {
        guard let strategy = algorithm.strategy(elements: 29, shards: placement.shards) else { continue }
        #expect(
          ScheduleProof(Schedule(strategy, elements: 29, placement: placement)).faults == [], "\(blocks) \(algorithm)")
      }
    }
  }

  /// Lanes share a bucket: their elements are all of it, once, and each lane's program is that of the whole cut to them.
  @Test(arguments: [41, 1009]) func lanesShareABucket(elements: Int) {
    for algorithm in AllReduceAlgorithm.allCases {
      guard let strategy = algorithm.strategy(elements: elements, shards: 6) else { continue }
      for lanes in 1...4 {
        for rank in 0..<3 {
          let placement = Placement(shards: 6, ranks: 3)
          var owned = Array(repeating: 0, count: elements)
          var sent = 0
          for lane in 0..<lanes {
            let schedule = Schedule(strategy, elements: elements, placement: placement, lane: .init(lane, of: lanes))
            let program = schedule.program(of: rank)
            for element in program.owned.joined() { owned[element] += 1 }
            let cost = ScheduleCost(program)
            sent += cost.reduceScatterElements + cost.allGatherElements
          }
          let whole = Schedule(strategy, elements: elements, placement: placement).program(of: rank)
          let all = Set(whole.owned.joined())
          #expect(owned.indices.allSatisfy { owned[$0] == (all.contains($0) ? 1 : 0) })
          let cost = ScheduleCost(whole)
          #expect(sent == cost.reduceScatterElements + cost.allGatherElements, "\(strategy), \(lanes) lanes")
        }
      }
    }
  }

  /// Lanes of one node write no cache line together, unless a chunk of the order begins within it, and each has about its part.
  @Test func lanesAreCutAtCacheLines() {
    let placement = Placement(blocks: [0..<2])
    let chunk = 16 * 1000 + 5
    for lanes in 2...8 {
      for lane in 0..<lanes {
        let schedule = Schedule(
          .ring(segments: 1), elements: 2 * chunk, placement: placement, lane: .init(lane, of: lanes))
        let sums = schedule.program(of: 0).start
        #expect(sums.count == 2)
        for sum in sums {
          #expect(abs(sum.elements.count - chunk / lanes) <= 16, "lane \(lane) of \(lanes)")
          for bound in [sum.elements.lowerBound, sum.elements.upperBound] where bound % chunk != 0 {
            #expect(bound % 16 == 0, "lane \(lane) of \(lanes)")
          }
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
          let schedule = Schedule(.ring(segments: 1), elements: elements, placement: placement)
          var sent = Array(repeating: 0, count: ranks)
          var rounds = 0
          var kept = Array(repeating: 0, count: ranks)
          for chunk in 0..<shards {
            let count = (chunk + 1) * elements / shards - chunk * elements / shards
            if count == 0 { continue }
            let hosts = (1...shards).map { placement.rank(of: (chunk + $0) % shards) }
            let leaving = zip(hosts, hosts.dropFirst()).filter { $0 != $1 }.map(\.0)
            for rank in leaving { sent[rank] += count }
            rounds = max(rounds, leaving.count)
            kept[hosts[shards - 1]] += count
          }
          for (rank, program) in schedule.programs().enumerated() {
            let cost = ScheduleCost(program)
            let place = "S = \(shards), p = \(ranks), n = \(elements), rank \(rank)"
            #expect(cost.reduceScatterRounds == rounds, "\(place)")
            #expect(cost.reduceScatterElements == sent[rank], "\(place)")
            // The finished sums of all ranks but the one before pass through this one.
            #expect(cost.allGatherRounds == (elements == 0 ? 0 : ranks - 1), "\(place)")
            #expect(
              cost.allGatherElements == (ranks == 1 ? 0 : elements - kept[(rank + ranks - 1) % ranks]), "\(place)")
          }
        }
      }
    }
  }

  /// With a shard a rank it is the textbook ring: 2(p−1) rounds of one message, 2(p−1)/p·n elements from each rank.
  @Test func oneShardARankIsTheTextbookRing() {
    for ranks in 2...16 {
      let elements = 24 * ranks
      let schedule = Schedule(.ring(segments: 1), elements: elements, placement: Placement(shards: ranks, ranks: ranks))
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
        let schedule = Schedule(
          .ring(segments: 1), elements: 6 * shards, placement: Placement(shards: shards, ranks: ranks))
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
      let schedule = Schedule(.ring(segments: 1), elements: 50, placement: Placement(shards: shards, ranks: 1))
      #expect(ScheduleCost(schedule.program(of: 0)).messages == 0)
    }
  }

  /// Recursive halving and doubling on 2^k ranks: k rounds and (p−1)/p·n elements each way, as a ring but in fewer messages.
  @Test func halvingIsTheTextbooks() {
    for exponent in 1...6 {
      let ranks = 1 << exponent
      let elements = 6 * ranks
      let schedule = Schedule(.halvingDoubling, elements: elements, placement: Placement(shards: ranks, ranks: ranks))
      for rank in 0..<ranks {
        let program = schedule.program(of: rank)
        let cost = ScheduleCost(program)
        #expect(cost.reduceScatterRounds == exponent && cost.allGatherRounds == exponent)
        #expect(cost.messages == 2 * exponent)
        #expect(cost.reduceScatterElements == 6 * (ranks - 1) && cost.allGatherElements == 6 * (ranks - 1))
        #expect(program.owned.map(\.count) == [6])
        // In round k with the rank whose number differs in bit k.
        #expect(program.reduceScatter.enumerated().allSatisfy { $1.sends.map(\.destination) == [rank ^ 1 << $0] })
        #expect(program.buffers == (exponent == 1 ? 1 : 2))
      }
    }
  }

  /// Binary blocks: of 13 = 8 + 4 + 1 ranks the eight end with an eighth each, and no rank sends more than twice what it must.
  @Test func otherNumbersOfRanksFormBinaryBlocks() {
    let schedule = Schedule(.halvingDoubling, elements: 64, placement: Placement(shards: 13, ranks: 13))
    let programs = schedule.programs()
    #expect(programs.map { $0.owned.joined().count } == Array(repeating: 8, count: 8) + Array(repeating: 0, count: 5))
    #expect(programs.allSatisfy { ScheduleCost($0).reduceScatterElements <= 64 })
    // The four add theirs among themselves, then hand a quarter each to two of the eight.
    #expect(ScheduleCost(programs[9]).reduceScatterElements == 32 + 16 + 16)
    #expect(programs[0].reduceScatter.count == 3)
  }

  /// Recursive doubling on 2^k ranks: k rounds in all, everything sent in each, nothing to gather.
  @Test func doublingTakesAsManyRoundsAsBits() {
    for exponent in 1...6 {
      let ranks = 1 << exponent
      let schedule = Schedule(.recursiveDoubling, elements: 5, placement: Placement(shards: ranks, ranks: ranks))
      for rank in 0..<ranks {
        let cost = ScheduleCost(schedule.program(of: rank))
        #expect(cost.reduceScatterRounds == exponent && cost.allGatherRounds == 0 && cost.messages == exponent)
        #expect(cost.reduceScatterElements == 5 * exponent)
      }
    }
  }

  /// A torus of X columns and Y rows: X − 1 and Y − 1 rounds each way, (p−1)/p·n elements.
  @Test(arguments: [(2, 3), (4, 4), (5, 2)]) func torusIsTwoRings(columns: Int, rows: Int) {
    let ranks = columns * rows
    let elements = 2 * ranks
    let schedule = Schedule(
      .torus(columns: columns), elements: elements, placement: Placement(shards: ranks, ranks: ranks))
    for rank in 0..<ranks {
      let cost = ScheduleCost(schedule.program(of: rank))
      #expect(cost.reduceScatterRounds == columns - 1 + rows - 1 && cost.allGatherRounds == columns - 1 + rows - 1)
      #expect(cost.reduceScatterElements == 2 * (ranks - 1) && cost.allGatherElements == 2 * (ranks - 1))
    }
  }

  /// Between groups only their first shards send.
  @Test func hierarchiesCrossGroupsAtTheirFirstShards() {
    let schedule = Schedule(
      .hierarchical(columns: 4), elements: 160, placement: Placement(shards: 16, ranks: 16))
    for rank in 0..<16 {
      let program = schedule.program(of: rank)
      for send in (program.reduceScatter + program.allGather).flatMap(\.sends)
      where send.destination / 4 != rank / 4 {
        #expect(rank % 4 == 0 && send.destination % 4 == 0)
      }
      #expect(program.owned.isEmpty == (rank % 4 != 0))
    }
  }

  /// Every inner shard of one tree is a leaf of the other, so that both directions of a link are in use.
  @Test func leavesOfOneTreeAreInnerInTheOther() {
    for ranks in 2...33 {
      let schedule = Schedule(
        .doubleTree(segments: 1), elements: 2, placement: Placement(shards: ranks, ranks: ranks))
      var receiving = [Set<Int>(), Set<Int>()]
      for rank in 0..<ranks {
        for receive in schedule.program(of: rank).reduceScatter.flatMap(\.receives) {
          receiving[receive.elements.lowerBound].insert(rank)
        }
      }
      let both = receiving[0].intersection(receiving[1])
      #expect(both.count <= (ranks.isMultiple(of: 2) ? 0 : 1), "\(ranks) ranks: \(both)")
    }
  }

  /// What a strategy needs beside the result, for placements of up to 16 ranks and shards.
  @Test func buffersAreFew() throws {
    for algorithm in AllReduceAlgorithm.allCases where algorithm.isReproducible {
      var found = 0
      for shards in 1...16 {
        for ranks in 1...shards {
          let strategy = try #require(algorithm.strategy(elements: 64, shards: shards))
          let programs = Schedule(strategy, elements: 64, placement: Placement(shards: shards, ranks: ranks)).programs()
          found = max(found, programs.map(\.buffers).max() ?? 0)
        }
      }
      #expect(found <= 1 + algorithm.mostScratchVectors, "\(algorithm.rawValue): \(found) buffers")
    }
  }
}
