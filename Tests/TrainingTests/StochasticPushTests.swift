import Testing

import Training

/// The graph of stochastic push: every step is a permutation, and every shard is reached from every other.
@Suite struct StochasticPushTests {
  @Test func everyShardReceivesFromOne() {
    for shards in 1...40 {
      for step in 0..<12 {
        let hop = ExponentialGraph.hop(at: step, shards: shards)
        #expect((hop == 0) == (shards == 1) && hop < shards, "\(shards) shards, step \(step)")
        #expect(Set((0..<shards).map { ($0 + hop) % shards }).count == shards)
      }
    }
  }

  /// After as many steps as the graph has distances, what a shard had is everywhere.
  @Test func allAreReached() {
    for shards in 2...40 {
      var holders: Set<Int> = [0]
      var steps = 0
      while 1 << steps < shards {
        let hop = ExponentialGraph.hop(at: steps, shards: shards)
        holders.formUnion(holders.map { ($0 + hop) % shards })
        steps += 1
      }
      #expect(holders.count == shards, "\(shards) shards")
    }
  }

  /// Weights with a delay are those of the push sum, and what a shard has and what is on its way are all there is.
  @Test func delayedWeightsAreThoseOfThePushSum() {
    var (weight, underWay) = (1.0, 0.0)
    for step in 0..<80 {
      #expect(abs(DelayedPushWeight.weight(after: step) - weight) < 1e-15 && abs(weight + underWay - 1) < 1e-15)
      // What has arrived is mixed in, as sums of parameters times weights.
      #expect(abs(DelayedPushWeight.share(after: step) - underWay / (weight / 2 + underWay)) < 1e-15)
      (weight, underWay) = (weight / 2 + underWay, weight / 2)
    }
    #expect(DelayedPushWeight.share(after: 0) == 0)
  }
}
