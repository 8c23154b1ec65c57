import Collectives
import Testing

/// The compact forms of schedules are those of the programs that ranks carry out.
@Suite struct CompactRoundsTests {
  private static let strategies: [Strategy] = [
    .ring(segments: 1), .ring(segments: 2), .ring(segments: 5), .halvingDoubling, .recursiveDoubling,
    .doubleTree(segments: 1), .doubleTree(segments: 3),
  ]

  /// Every message: round, source, destination, elements; and every rank's additions.
  @Test(arguments: strategies) func messagesAreThoseOfThePrograms(_ strategy: Strategy) throws {
    for ranks in 2...64 {
      for elements in counts(ranks) { try compare(strategy, ranks, elements) }
    }
  }

  @Test func messagesOfGridsAreThoseOfThePrograms() throws {
    for ranks in 2...64 {
      for columns in 1...ranks where ranks % columns == 0 {
        for elements in counts(ranks) {
          try compare(.torus(columns: columns), ranks, elements)
          try compare(.hierarchical(columns: columns), ranks, elements)
        }
      }
    }
  }

  /// Fewer elements than ranks, as many, and numbers that nothing divides.
  private func counts(_ ranks: Int) -> Set<Int> { [1, ranks - 1, ranks, 3 * ranks + 1, 1009] }

  private func compare(_ strategy: Strategy, _ ranks: Int, _ elements: Int) throws {
    let placement = Placement(shards: ranks, ranks: ranks)
    let real = ProgramRounds(Schedule(strategy, elements: elements, placement: placement)).allRounds()
    let compact = try #require(strategy.compactRounds(ranks: ranks, elements: elements)).allRounds()
    let place: Comment = "\(strategy), p = \(ranks), n = \(elements)"
    #expect(real.count == compact.count, place)
    let isGrid = if case .grid = strategy.order { true } else { false }
    for (index, (a, b)) in zip(real, compact).enumerated() {
      #expect(messages(a) == messages(b), "\(place), round \(index)")
      // Where chunks are empty or few, those that stand apart in a grid may be neighbours and go in one message.
      if !isGrid { #expect(counts(a) == counts(b), "\(place), round \(index)") }
    }
    #expect(additions(real, ranks) == additions(compact, ranks), place)
    // Not only how many, but when they are made; where parts are empty, some can be made sooner.
    if elements < ranks { return }
    switch strategy {
    case .halvingDoubling, .recursiveDoubling:
      if ranks & (ranks - 1) == 0 { #expect(sums(real) == sums(compact), place) }
    case .ring, .torus, .doubleTree: #expect(sums(real) == sums(compact), place)
    case .hierarchical: break
    }
  }

  private func messages(_ round: SimulatedRound) -> [[Int]] {
    round.transfers.map { [$0.source, $0.destination, $0.elements] }.sorted { $0.lexicographicallyPrecedes($1) }
  }

  private func counts(_ round: SimulatedRound) -> Int { round.transfers.reduce(0) { $0 + $1.messages } }

  private func additions(_ rounds: [SimulatedRound], _ ranks: Int) -> [Int] {
    var result = Array(repeating: 0, count: ranks)
    for sum in rounds.flatMap({ $0.meanwhile + $0.sums }) { result[sum.rank] += sum.additions }
    return result
  }

  private func sums(_ rounds: [SimulatedRound]) -> [[[Int: Int]]] {
    rounds.map { round in
      [round.meanwhile, round.sums].map { list in
        Dictionary(list.map { ($0.rank, $0.additions) }, uniquingKeysWith: +)
      }
    }
  }
}
