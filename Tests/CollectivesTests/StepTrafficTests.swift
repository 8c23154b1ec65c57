import Collectives
import Testing

/// What methods are compared by is what the ranks' programs send.
@Suite struct StepTrafficTests {
  private static let strategies: [Strategy] = [
    .ring(segments: 1), .ring(segments: 3), .halvingDoubling, .recursiveDoubling, .torus(columns: 2),
    .hierarchical(columns: 2), .doubleTree(segments: 2),
  ]

  private func sent(_ strategy: Strategy, _ elements: Int, _ shards: Int) -> [Int] {
    let placement = Placement(shards: shards, ranks: shards)
    return Schedule(strategy, elements: elements, placement: placement).programs().map { program in
      let cost = ScheduleCost(program)
      return 4 * (cost.reduceScatterElements + cost.allGatherElements)
    }
  }

  @Test func bytesAreThoseOfThePrograms() {
    for strategy in Self.strategies {
      for shards in 1...9 {
        let buckets = [1000, 1000, 17, 1]
        let expected = buckets.map { sent(strategy, $0, shards) }
        let most = (0..<shards).map { rank in expected.reduce(0) { $0 + $1[rank] } }.max()
        let modelled = Schedule.busiestRankBytes(buckets.map { ($0, strategy) }, shards: shards)
        #expect(modelled == most, "\(strategy), S = \(shards)")
      }
    }
  }

  @Test func aRingSendsTheModelOncePerHalf() {
    for shards in 1...8 {
      let elements = 840
      let bytes = Schedule.busiestRankBytes([(elements, nil)], shards: shards)
      #expect(bytes == 2 * (shards - 1) * 4 * elements / shards)
    }
  }
}
