import Datasets
import Testing

@Suite struct EpochPlanTests {
  @Test func everySampleOncePerEpoch() {
    var wrong: [String] = []
    for count in 0...24 {
      for batch in 1...26 {
        for shards in 1...7 {
          for shuffles in [true, false] {
            let plan = EpochPlan(sampleCount: count, globalBatchSize: batch, seed: 3, shuffles: shuffles)
            var seen: [Int] = []
            for step in 0..<plan.stepsPerEpoch {
              for shard in 0..<shards { seen += plan.samples(epoch: 1, step: step, shard: shard, of: shards) }
            }
            let expected = (0..<count).map { plan.order(epoch: 1)[$0] }
            if seen != expected || seen.sorted() != Array(0..<count) || (!shuffles && seen != Array(0..<count)) {
              wrong.append("N=\(count) B=\(batch) S=\(shards)")
            }
          }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.count) wrong, first \(wrong.first ?? "")")
  }

  @Test func sharesOfAShardAreTheirDefinition() {
    // part(s, of: S, in: n) is s·n/S ..< (s+1)·n/S.
    let plan = EpochPlan(sampleCount: 23, globalBatchSize: 10, seed: 0)
    #expect(plan.stepsPerEpoch == 3)
    #expect((0..<3).map { plan.positions(step: $0) } == [0..<10, 10..<20, 20..<23])
    #expect((0..<4).map { plan.positions(step: 1, shard: $0, of: 4) } == [10..<12, 12..<15, 15..<17, 17..<20])
    #expect((0..<4).map { plan.positions(step: 2, shard: $0, of: 4) } == [20..<20, 20..<21, 21..<22, 22..<23])
  }

  @Test func droppingTheLastBatch() {
    let plan = EpochPlan(sampleCount: 23, globalBatchSize: 10, seed: 0, dropsLast: true)
    #expect(plan.stepsPerEpoch == 2)
    #expect(EpochPlan(sampleCount: 20, globalBatchSize: 10, seed: 0, dropsLast: true).stepsPerEpoch == 2)
    #expect(EpochPlan(sampleCount: 9, globalBatchSize: 10, seed: 0, dropsLast: true).stepsPerEpoch == 0)
    #expect(EpochPlan(sampleCount: 0, globalBatchSize: 10, seed: 0).stepsPerEpoch == 0)
  }

  @Test func shardBatchSizesAreThoseThatOccur() {
    for count in 1...30 {
      for batch in 1...30 {
        for shards in 1...6 {
          for drops in [true, false] {
            let plan = EpochPlan(sampleCount: count, globalBatchSize: batch, seed: 0, dropsLast: drops)
            var sizes = Set<Int>()
            for step in 0..<plan.stepsPerEpoch {
              for shard in 0..<shards { sizes.insert(plan.positions(step: step, shard: shard, of: shards).count) }
            }
            #expect(plan.shardBatchSizes(of: shards) == sizes.sorted(by: >), "N=\(count) B=\(batch) S=\(shards)")
            #expect(sizes.count <= 4)
          }
        }
      }
    }
  }

  @Test func globalStepsCountThroughEpochs() {
    let plan = EpochPlan(sampleCount: 23, globalBatchSize: 10, seed: 0)
    let positions = (0..<7).map { plan.position(globalStep: $0) }
    #expect(positions.map(\.epoch) == [0, 0, 0, 1, 1, 1, 2])
    #expect(positions.map(\.step) == [0, 1, 2, 0, 1, 2, 0])
  }
}
