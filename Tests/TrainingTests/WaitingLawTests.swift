import Testing
import Training

/// Who waits for whom: exact where one rank is slow, and against the expectation of the slowest where times are random.
@Suite struct WaitingLawTests {
  private static let laws: [WaitingLaw] = [
    .everybody(every: 1), .everybody(every: 4), .neighbours, .allBut(0), .allBut(1), .nobody,
  ]

  /// Rank 1 takes `factor` times as long as the others, which take a second.
  private static func oneSlow(_ factor: Double, ranks: Int, steps: Int = 48) -> Timetable {
    Timetable(ranks: ranks, steps: steps) { rank, _ in rank == 1 ? factor : 1 }
  }

  private func expectNear(
    _ value: Double, _ wanted: Double, by tolerance: Double = 1e-9, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(abs(value - wanted) <= tolerance * max(1, abs(wanted)), comment, sourceLocation: sourceLocation)
  }

  @Test(arguments: [1, 2, 3, 8]) func equalRanksWaitForNobody(ranks: Int) {
    let timetable = Timetable(ranks: ranks, steps: 16) { _, _ in 2 }
    for law in Self.laws where law != .allBut(1) {
      let pace = law.pace(timetable)
      expectNear(pace.turnsPerSecond, Double(ranks) / 2, "\(law)")
      #expect(pace.waiting == 0 && pace.turns == 16 * ranks && pace.dropped == 0, "\(law)")
    }
  }

  @Test(arguments: [2, 3, 4, 7, 16], [2.0, 3, 10]) func oneSlowRank(ranks: Int, factor: Double) {
    let timetable = Self.oneSlow(factor, ranks: ranks)
    let perfect = Double(ranks)
    for law in [WaitingLaw.everybody(every: 1), .everybody(every: 4), .allBut(0)] {
      let pace = law.pace(timetable)
      expectNear(pace.turnsPerSecond / perfect, 1 / factor, "\(law)")
      expectNear(pace.shareOfWaiting, (factor - 1) / factor * (perfect - 1) / perfect, "\(law)")
      expectNear(pace.waitedFor[1], pace.waiting, "\(law)")
    }
    // Word of it gets around in log₂ S steps, in which others are ahead; then all have its pace.
    let push = WaitingLaw.neighbours.pace(timetable)
    #expect(push.seconds <= 48 * factor && push.seconds > 43 * factor, "\(push)")
    let alone = WaitingLaw.nobody.pace(timetable)
    expectNear(alone.turnsPerSecond, perfect - 1 + 1 / factor)
    #expect(alone.waiting == 0 && alone.waitedFor.isEmpty)
    // The others make the steps; the slow one works in vain.
    let backup = WaitingLaw.allBut(1).pace(timetable)
    expectNear(backup.seconds, 48)
    #expect(backup.dropped == Int((48 / factor).rounded(.up)) && backup.turns == 48 * (ranks - 1) + backup.dropped)
  }

  /// A rank that is slow once is waited for once, by whom its method tells.
  @Test func oneSlowTurn() {
    let timetable = Timetable(ranks: 4, steps: 8) { rank, step in rank == 2 && step == 3 ? 5 : 1 }
    expectNear(WaitingLaw.everybody(every: 1).pace(timetable).seconds, 12)
    expectNear(WaitingLaw.everybody(every: 1).pace(timetable).waiting, 12)
    expectNear(WaitingLaw.everybody(every: 8).pace(timetable).seconds, 12)
    // Both others of the pair, and those two a step later keep nobody: all are four seconds late by then.
    expectNear(WaitingLaw.neighbours.pace(timetable).seconds, 12)
    let backup = WaitingLaw.allBut(1).pace(timetable)
    // In its five seconds the others make five steps; one of any equal four is left out.
    expectNear(backup.seconds, 8)
  }

  /// Two ranks that are slow in turns: with local steps their times add up evenly.
  @Test func slowInTurns() {
    let timetable = Timetable(ranks: 2, steps: 12) { rank, step in rank == step % 2 ? 3 : 1 }
    expectNear(WaitingLaw.everybody(every: 1).pace(timetable).seconds, 36)
    expectNear(WaitingLaw.everybody(every: 2).pace(timetable).seconds, 24)
    // Meetings after steps 5 and 10, and the end.
    expectNear(WaitingLaw.everybody(every: 5).pace(timetable).seconds, 11 + 11 + 4)
    expectNear(WaitingLaw.everybody(every: 2).pace(timetable, StepCost(update: 1, exchange: 10)).seconds, 24 + 12 + 60)
  }

  /// What servers can take is the limit, and then they are what is waited for.
  @Test func serversAreALimit() {
    let timetable = Timetable(ranks: 10, steps: 5) { _, _ in 1 }
    expectNear(WaitingLaw.nobody.pace(timetable, StepCost(exchange: 1, server: 0.1)).turnsPerSecond, 5)
    let busy = WaitingLaw.nobody.pace(timetable, StepCost(server: 0.5))
    expectNear(busy.turnsPerSecond, 2)
    expectNear(busy.shareOfWaiting, 0.8)
  }

  /// The slowest of S: m·(1 + 1/2 + … + 1/S) for exponential times of mean m, 2m·S/(S + 1) for those uniform up to 2m.
  @Test(arguments: [2, 5, 64]) func theSlowestOfRandomTimes(ranks: Int) throws {
    let steps = 4000
    for (text, expected) in [
      ("exponential:1000", (1...ranks).reduce(0) { $0 + 1 / Double($1) }),
      ("random:1000", 2 * Double(ranks) / Double(ranks + 1)),
    ] {
      let delay = try #require(InjectedDelay(text))
      let timetable = Timetable(ranks: ranks, steps: steps) { delay.seconds(rank: $0, turn: $1) }
      let synchronous = WaitingLaw.everybody(every: 1).pace(timetable)
      expectNear(synchronous.seconds / Double(steps), expected, by: 0.03, "\(text)")
      expectNear(synchronous.shareOfWaiting, 1 - 1 / expected, by: 0.03, "\(text)")
      // Nobody waits: the mean. Between the two the others, the rarer they meet the faster.
      let seconds = [
        WaitingLaw.nobody, .everybody(every: 64), .everybody(every: 8), .everybody(every: 1),
      ].map { $0.pace(timetable).seconds / Double(steps) }
      expectNear(seconds[0], 1, by: 0.03)
      #expect(seconds == seconds.sorted(), "\(text): \(seconds)")
      let push = WaitingLaw.neighbours.pace(timetable).seconds / Double(steps)
      #expect(push <= seconds[3] && push > seconds[0], "\(text): \(push)")
    }
  }

  /// A rank of an asynchronous method that took fewer turns goes through its own again.
  @Test func turnsAreRepeated() {
    let timetable = Timetable(turns: [[1, 1, 1, 1], [3], [1, 2]])
    #expect((0..<4).map { Array(timetable[step: $0]) } == [[1, 3, 1], [1, 3, 2], [1, 3, 1], [1, 3, 2]])
    #expect(timetable.means == [1, 3, 1.5])
  }
}
