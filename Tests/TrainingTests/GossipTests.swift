import Testing
import Training

/// Whom shards gossip with, what becomes of weights, and the elastic meeting.
@Suite struct GossipTests {
  @Test func peersAreOthersAndAlike() {
    #expect(PeerChoice(seed: 1, method: "gossip", shard: 0, of: 1).peer(at: 3) == nil)
    for shards in 2...9 {
      for shard in 0..<shards {
        let choice = PeerChoice(seed: 1, method: "gossip", shard: shard, of: shards)
        var counts = [Int](repeating: 0, count: shards)
        for step in 0..<900 { counts[choice.peer(at: step) ?? shard] += 1 }
        let expected = 900 / (shards - 1)
        #expect(counts[shard] == 0 && counts.allSatisfy { $0 == 0 || abs($0 - expected) < 80 }, "\(counts)")
      }
    }
  }

  /// By the seed, the method, the shard and the step, and by nothing else.
  @Test func peersAreAFunction() {
    func peers(seed: UInt64 = 1, method: String = "gossip", shard: Int = 0) -> [Int?] {
      let choice = PeerChoice(seed: seed, method: method, shard: shard, of: 5)
      return (0..<60).map { choice.peer(at: $0) }
    }
    #expect(peers() == peers())
    #expect(Set([peers(), peers(seed: 2), peers(method: "gosgd"), peers(shard: 1)]).count == 4)
  }

  @Test func pushesHaveTheirProbability() {
    for (probability, range) in [(0.0, 0...0), (0.02, 20...64), (0.5, 930...1070), (1.0, 2000...2000)] {
      let choice = PeerChoice(seed: 5, method: "gosgd", shard: 1, of: 3)
      #expect(range.contains((0..<2000).count { choice.pushes(at: $0, probability: probability) }), "\(probability)")
    }
  }

  /// However weights are shared, their units are the same, to the bit, and nobody is left without.
  @Test func unitsAreConserved() {
    for shards in [1, 2, 3, 7, 64, 1000] {
      let start = GossipWeight.start(shards: shards)
      #expect(Float(shards) * start <= 0x1p24 && Float(shards) * start > 0x1p23)
      var weights = [Float](repeating: start, count: shards)
      for step in 0..<3000 where shards > 1 {
        let sender = step * step % shards
        guard let receiver = PeerChoice(seed: 7, method: "gosgd", shard: sender, of: shards).peer(at: step) else {
          continue
        }
        let half = GossipWeight.half(of: weights[sender])
        weights[sender] -= half
        let (share, sum) = GossipWeight.mixing(weights[receiver], with: half)
        #expect(sum == weights[receiver] + half && share == half / sum)
        weights[receiver] = sum
      }
      #expect(weights.reduce(0, +) == Float(shards) * start && weights.allSatisfy { $0 >= 1 })
    }
    #expect(GossipWeight.half(of: 1) == 0 && GossipWeight.half(of: 7) == 3)
  }

  /// Equation 10 of Zheng et al., beside numbers worked out by hand.
  @Test func delaysAreCompensatedByTheSquareOfTheGradient() {
    var gradient: [Float] = [2, -3, 0.5, 0]
    compensateDelay(of: &gradient, now: [1, 1, 1, 1], then: [0.5, 2, 1, 0], count: 4, by: 0.1)
    // 2 + 0.1 · 4 · 0.5, and −3 + 0.1 · 9 · (−1).
    #expect(distance(gradient, [2.2, -3.9, 0.5, 0]) < 1e-6)
  }

  /// The batch's rate ÷ τ, whatever part of the batch a gradient is; all of it up to τ = 1. Or never more than its part.
  @Test func ratesFollowStaleness() {
    let batch = 0.8
    for workers in [1, 3, 4] {
      let part = batch / Double(workers)
      for (staleness, expected) in [(0, batch), (1, batch), (2, batch / 2), (3, batch / 3), (8, batch / 8)] {
        #expect(abs(stalenessAware(part, staleness, workers: workers, .paper) - expected) < 1e-12)
        #expect(abs(stalenessAware(part, staleness, workers: workers, .scale) - min(part, expected)) < 1e-12)
        #expect(stalenessAware(part, staleness, workers: workers, .keep) == part)
      }
      // At the staleness of workers in turn it is the rate without it.
      #expect(abs(stalenessAware(part, workers, workers: workers, .paper) - part) < 1e-12)
    }
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }

  /// Each meeting conserves x + c, whatever another worker does to c between the center's half and the worker's.
  @Test func elasticMeetingsConserve() {
    for rate in [Float(0), 0.1, 0.3, 0.9] {
      var workers: [[Float]] = [[3, -1, 0.5, 100, 0], [-2, 7, 1e-3, 1, 0]]
      var center: [Float] = [1, 1, 1, 1, 0]
      func total(_ index: Int) -> Float { workers[0][index] + workers[1][index] + center[index] }
      let before = center.indices.map(total)
      var differences = [[Float](repeating: 0, count: 5), [Float](repeating: 0, count: 5)]
      for _ in 0..<20 {
        // Both meet the center before either moves.
        for worker in 0..<2 {
          let known = center
          meetElastically(
            workers[worker], center: &center, difference: &differences[worker], count: 5, rate: rate)
          for index in center.indices {
            #expect(differences[worker][index] == rate * (workers[worker][index] - known[index]))
            #expect(center[index] == known[index] + differences[worker][index])
          }
        }
        for worker in 0..<2 {
          for index in center.indices { workers[worker][index] -= differences[worker][index] }
        }
        for index in center.indices { #expect(abs(total(index) - before[index]) < 1e-4) }
      }
      #expect((center[3] == 1) == (rate == 0))
    }
  }
}
