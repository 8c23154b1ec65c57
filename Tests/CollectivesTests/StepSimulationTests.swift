import Collectives
import Testing

@Suite struct StepSimulationTests {
  /// Free links and sums, so that a bucket takes 2(p − 1) latencies of a millisecond.
  private static let network = NetworkModel(
    inside: .init(latency: 1e-3, secondsPerByte: 0), between: .init(latency: 1e-3, secondsPerByte: 0),
    secondsPerAddedByte: 0)

  private func run(_ ranks: Int, overlaps: Bool, slowness: [Double]? = nil) -> StepSimulation.Result {
    let buckets = [0.020, 0.022, 0.050].map { StepSimulation.Bucket(elements: 12, ready: $0) }
    let step = StepSimulation(buckets: buckets, compute: 0.050, update: 0.004, overlaps: overlaps)
    return step.run(Simulation(Self.network, ranks: ranks, slowness: slowness)) {
      RingRounds(ranks: ranks, elements: $0)
    }
  }

  private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-12 }

  /// Three ranks: a bucket takes 4 ms. The first begins at 20, the second waits for it until 24, the third begins at 50.
  @Test func bucketsHideBehindTheBackwardPass() {
    let result = run(3, overlaps: true)
    #expect(close(result.seconds, 0.058) && close(result.exposed, 0.004) && close(result.alone, 0.054))
    #expect(close(result.efficiency, 0.054 / 0.058))
    let sequential = run(3, overlaps: false)
    #expect(close(sequential.seconds, 0.066) && close(sequential.exposed, 0.012))
  }

  @Test func oneRankReducesNothing() {
    let result = run(1, overlaps: false)
    #expect(close(result.seconds, 0.054) && result.efficiency == 1 && result.mostBytesOfARank == 0)
  }

  /// A rank that computes twice as slowly: all wait for its last bucket, and for its update.
  @Test func aStragglerHoldsTheStepUp() {
    let result = run(3, overlaps: true, slowness: [1, 2, 1])
    #expect(close(result.seconds, 0.100 + 0.004 + 0.008) && close(result.exposed, 0.004))
  }
}
