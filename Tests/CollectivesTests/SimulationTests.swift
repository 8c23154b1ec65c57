import Collectives
import Testing

/// Times that a simulation must give, worked out by hand.
@Suite struct SimulationTests {
  private static let alpha = 7e-6
  private static let beta = 0.3e-9
  private static let gamma = 0.05e-9
  /// Every rank on a node of its own.
  private static let network = NetworkModel(
    inside: .init(latency: 1e-6, secondsPerByte: 0.1e-9), between: .init(latency: alpha, secondsPerByte: beta),
    secondsPerAddedByte: gamma)

  private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * max(abs(a), abs(b)) }

  private func programs(_ strategy: Strategy, _ ranks: Int, _ elements: Int) -> ProgramRounds {
    ProgramRounds(Schedule(strategy, elements: elements, placement: Placement(shards: ranks, ranks: ranks)))
  }

  /// 2(p − 1)α + 2(p − 1)/p·nβ + (p − 1)/p·nγ.
  @Test(arguments: [2, 3, 4, 7]) func ringIsTheFormula(_ ranks: Int) {
    let elements = 840 * ranks
    let n = 4 * Double(elements)
    let share = Double(ranks - 1) / Double(ranks)
    let expected = 2 * Double(ranks - 1) * Self.alpha + 2 * share * n * Self.beta + share * n * Self.gamma
    let result = Simulation(Self.network, ranks: ranks).run(programs(.ring(segments: 1), ranks, elements))
    #expect(close(result.seconds, expected), "\(result.seconds) for \(expected)")
    #expect(result.finish.allSatisfy { close($0, expected) })
    #expect(result.bytes == 2 * (ranks - 1) * 4 * elements && result.mostBytesOfARank == 2 * (ranks - 1) * 4 * 840)
  }

  /// log₂ p·(α + nβ + nγ).
  @Test(arguments: [2, 4, 8, 16]) func doublingIsTheFormula(_ ranks: Int) {
    let n = 4.0 * 1000
    let expected = Double(ranks.trailingZeroBitCount) * (Self.alpha + n * Self.beta + n * Self.gamma)
    let result = Simulation(Self.network, ranks: ranks).run(programs(.recursiveDoubling, ranks, 1000))
    #expect(close(result.seconds, expected), "\(result.seconds) for \(expected)")
  }

  /// Three ranks, by hand: rank 2 gives its sum to 0 and 1 while these exchange theirs, and has all from 0 in the next round.
  @Test func doublingOfThreeRanks() {
    let n = 4.0 * 1000
    let result = Simulation(Self.network, ranks: 3).run(programs(.recursiveDoubling, 3, 1000))
    // Two messages leave rank 2 and come into 0 and 1 one after the other; then one addition, a message and one more.
    let first = Self.alpha + 2 * n * Self.beta + n * Self.gamma
    let expected = first + Self.alpha + n * Self.beta + n * Self.gamma
    #expect(close(result.seconds, expected), "\(result.seconds) for \(expected)")
  }

  /// 2 log₂ p·α + 2(p − 1)/p·nβ + (p − 1)/p·nγ.
  @Test(arguments: [2, 4, 8]) func halvingIsTheFormula(_ ranks: Int) {
    let n = 4.0 * 16_000
    let share = Double(ranks - 1) / Double(ranks)
    let expected =
      2 * Double(ranks.trailingZeroBitCount) * Self.alpha + 2 * share * n * Self.beta + share * n * Self.gamma
    let result = Simulation(Self.network, ranks: ranks).run(programs(.halvingDoubling, ranks, 16_000))
    #expect(close(result.seconds, expected), "\(result.seconds) for \(expected)")
  }

  /// Two ranks, two segments: the first is added while the second is under way, and holds the round up if that takes longer.
  @Test(arguments: [0.05e-9, 1e-6]) func sumsMeanwhileAreWaitedFor(_ gamma: Double) {
    var network = Self.network
    network.secondsPerAddedByte = gamma
    let result = Simulation(network, ranks: 2).run(programs(.ring(segments: 2), 2, 16_000))
    let (message, sum) = (Self.alpha + 16_000 * Self.beta, 16_000 * gamma)
    let expected = message + max(message, sum) + sum + 2 * message
    #expect(close(result.seconds, expected), "\(result.seconds) for \(expected)")
  }

  /// Two nodes of two: in the first round of halving and doubling messages stay within them, in the second both ranks of a
  /// node need its link, so the second waits for the first.
  @Test func ranksOfANodeShareItsLink() throws {
    var network = Self.network
    network.ranksPerNode = 2
    network.secondsPerAddedByte = 0
    let n = 4.0 * 1600
    let result = Simulation(network, ranks: 4).run(programs(.halvingDoubling, 4, 1600))
    let within = 1e-6 + n / 2 * 0.1e-9
    // The second rank of a node is one message behind, and waits no more on the way back.
    let across = 2 * Self.alpha + 3 * n / 4 * Self.beta
    #expect(close(result.seconds, 2 * within + across), "\(result.seconds)")
    let link = try #require(result.busiestLink)
    #expect(link.place == .outOfNode(0) && link.bytes == 4 * Int(n) / 4)
    #expect(close(link.seconds, n * Self.beta))
  }

  /// A rank that takes three times as long for its messages and sums holds up each round of the ring.
  @Test(arguments: [3, 4, 5]) func oneSlowRankHoldsTheRingUp(_ ranks: Int) {
    let elements = 600 * ranks
    let n = 4 * Double(elements)
    let share = Double(ranks - 1) / Double(ranks)
    var slowness = Array(repeating: 1.0, count: ranks)
    slowness[1] = 3
    let expected =
      2 * Double(ranks - 1) * Self.alpha + 3 * (2 * share * n * Self.beta + share * n * Self.gamma)
    let simulation = Simulation(Self.network, ranks: ranks, slowness: slowness)
    #expect(close(simulation.run(programs(.ring(segments: 1), ranks, elements)).seconds, expected))
  }

  /// A rank that starts late delays the end by that much.
  @Test func aLateRankDelaysTheEnd() {
    let simulation = Simulation(Self.network, ranks: 5)
    let rounds = programs(.ring(segments: 1), 5, 5000)
    let late = simulation.run(rounds, start: [0, 0, 0, 2e-3, 0])
    #expect(close(late.seconds, 2e-3 + simulation.run(rounds).seconds))
  }

  /// More ranks than cores: all that happens within the node takes as much longer.
  @Test func ranksWithoutACoreTakeLonger() {
    var network = Self.network
    network.ranksPerNode = 4
    let usual = Simulation(network, ranks: 4).run(programs(.ring(segments: 1), 4, 4000)).seconds
    network.cores = 2
    #expect(close(Simulation(network, ranks: 4).run(programs(.ring(segments: 1), 4, 4000)).seconds, 2 * usual))
    // Two of the four places are taken.
    #expect(
      close(
        Simulation(network, ranks: 2).run(programs(.ring(segments: 1), 2, 4000)).seconds,
        2e-6 + 2 * 8000 * 0.1e-9 + 8000 * Self.gamma))
  }

  /// The loop for rings has the clocks of the rounds, with stragglers, nodes of several ranks, late starts and few elements.
  @Test func ringLoopIsTheRounds() {
    for ranks in [3, 4, 9, 32] {
      for elements in [1, ranks - 1, ranks, 100 * ranks + 7] {
        for ranksPerNode in [1, 3, 4] {
          var network = Self.network
          network.ranksPerNode = ranksPerNode
          network.between.secondsPerMessage = 2e-6
          let slowness = Stragglers.logNormal(sigma: 0.3).slowness(ranks: ranks, seed: 1)
          let simulation = Simulation(network, ranks: ranks, slowness: slowness)
          let start = (0..<ranks).map { 1e-6 * Double($0 * 7 % 5) }
          let slow = simulation.run(programs(.ring(segments: 1), ranks, elements), start: start)
          let fast = simulation.run(RingRounds(ranks: ranks, elements: elements), start: start)
          let place: Comment = "p = \(ranks), n = \(elements), \(ranksPerNode) a node"
          // Where the halves overlap in a node's link, the loop may be ahead by one message.
          let limit = 1e-9 * slow.seconds + (ranksPerNode > 1 ? 2e-6 + 4 * Self.beta * Double(elements) : 0)
          #expect(zip(slow.finish, fast.finish).allSatisfy { abs($0 - $1) <= limit }, place)
          #expect(slow.messages == fast.messages && slow.bytes == fast.bytes, place)
          #expect(slow.mostBytesOfARank == fast.mostBytesOfARank && slow.rounds == fast.rounds, place)
          #expect(slow.busiestLink?.bytes == fast.busiestLink?.bytes, place)
        }
      }
    }
  }

  /// Compact forms take as long as the programs: exactly for powers of two, but for hierarchies, else
  /// nearly.
  @Test(arguments: AllReduceAlgorithm.allCases.filter { $0.isReproducible && $0 != .auto })
  func compactTimesAreThoseOfThePrograms(_ algorithm: AllReduceAlgorithm) throws {
    var network = Self.network
    network.ranksPerNode = 4
    for ranks in [2, 3, 8, 12, 13, 32, 48, 64] {
      for elements in [10, 1 << 16, 1 << 20] {
        let strategy = try #require(algorithm.strategy(elements: elements, shards: ranks))
        let compact = try #require(strategy.compactRounds(ranks: ranks, elements: elements))
        let simulation = Simulation(network, ranks: ranks)
        let (a, b) = (simulation.run(programs(strategy, ranks, elements)).seconds, simulation.run(compact).seconds)
        let isExact = ranks & (ranks - 1) == 0 && elements >= ranks && algorithm != .hierarchical
        let tolerance = isExact ? 1e-9 : 0.15
        #expect(abs(a - b) <= tolerance * a, "\(strategy), p = \(ranks), n = \(elements): \(a), \(b)")
      }
    }
  }

  @Test func equalSeedsGiveEqualStragglers() {
    let all: [Stragglers] = [.fraction(0.25, factor: 3), .logNormal(sigma: 0.5)]
    for stragglers in all {
      let slowness = stragglers.slowness(ranks: 2000, seed: 9)
      #expect(slowness == stragglers.slowness(ranks: 2000, seed: 9))
      #expect(slowness != stragglers.slowness(ranks: 2000, seed: 10))
      // A rank's factor does not depend on how many others there are.
      #expect(stragglers.slowness(ranks: 100, seed: 9) == Array(slowness.prefix(100)))
    }
    let slow = Stragglers.fraction(0.25, factor: 3).slowness(ranks: 2000, seed: 9).count { $0 == 3 }
    #expect((430...570).contains(slow), "\(slow) of 2,000")
    let sorted = Stragglers.logNormal(sigma: 0.5).slowness(ranks: 2000, seed: 9).sorted()
    // Medians and 84 % quantiles of a log-normal distribution: 1 and e^σ.
    #expect(abs(sorted[1000] - 1) < 0.06 && abs(sorted[1683] - 1.6487) < 0.12, "\(sorted[1000]), \(sorted[1683])")
  }

  @Test func aSimulationIsDeterministic() {
    var network = Self.network
    network.ranksPerNode = 8
    let slowness = Stragglers.logNormal(sigma: 0.2).slowness(ranks: 64, seed: 3)
    let simulation = Simulation(network, ranks: 64, slowness: slowness)
    let rounds = programs(.doubleTree(segments: 4), 64, 1 << 16)
    #expect(simulation.run(rounds) == simulation.run(rounds))
  }

  @Test func nothingToDoTakesNoTime() {
    #expect(Simulation(Self.network, ranks: 1).run(programs(.ring(segments: 1), 1, 100)).seconds == 0)
    let empty = Simulation(Self.network, ranks: 4).run(programs(.ring(segments: 1), 4, 0))
    #expect(empty.seconds == 0 && empty.busiestLink == nil && empty.messages == 0)
    for strategy in [Strategy.halvingDoubling, .recursiveDoubling, .torus(columns: 2), .doubleTree(segments: 2)] {
      #expect(strategy.compactRounds(ranks: 4, elements: 0)?.rounds == 0, "\(strategy)")
    }
  }
}
