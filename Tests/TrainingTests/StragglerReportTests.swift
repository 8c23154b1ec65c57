import Testing
import Training

/// What a run says of its stragglers, from the times of its turns.
@Suite struct StragglerReportTests {
  /// Eight steps of three ranks, of which rank 1 works for 300 ms and the others for 100; exchanges take 10 ms beside waiting.
  private static let turns = MeasuredTurns([
    Array(repeating: 0.1, count: 8) + Array(repeating: 0.21, count: 8),
    Array(repeating: 0.3, count: 8) + Array(repeating: 0.01, count: 8),
    Array(repeating: 0.1, count: 8) + Array(repeating: 0.21, count: 8),
  ])
  private static let methods = [Recipe.Method.synchronous, .local, .downpour, .backupWorkers].map {
    StragglerMethod($0, localSteps: 4, backup: 1)
  }

  @Test func aSlowRankIsNamed() throws {
    let report = try #require(
      StragglerReport(
        Self.turns, Self.methods, ran: Self.methods[0], samplesPerStep: 31, measured: 99.9))
    #expect(report.slowest == 1 && report.steps == 8 && report.shareForSlowest == 1)
    #expect(
      report.markdown == """
        # Stragglers

        Of 8 steps: rank 1 is the slowest, 300.0 ms of work a step where the rank in the middle has 100.0 ms; 43% of the ranks' \
        time was waiting, 100% of that for rank 1. An exchange takes 10.0 ms.

        | rank | work of a step | waiting |
        |--:|--:|--:|
        | 0 | 100.0 ms | 65% |
        | 1 | 300.0 ms | 0% |
        | 2 | 100.0 ms | 65% |

        What each method would have made of the same computing times, with an exchange as long as in this run, and servers (where \
        it has any) beside these ranks that keep up:

        | method | img/s | over synchronous | |
        |---|--:|--:|---|
        | synchronous | 99 | 1.00× | measured 99 |
        | local, H = 4 | 102 | 1.02× |  |
        | downpour | 221 | 2.21× |  |
        | backup-workers, B = 1 | 187 | 1.88× | 16% dropped |

        """, "\(report.markdown)")
    #expect(
      report.lines[0].hasSuffix(
        "rank 1 is the slowest, 300.0 ms of work a step where the rank in the middle has 100.0 ms"))
    // Unasked only where it was long.
    #expect(report.isNotable(seconds: 40) && !report.isNotable(seconds: 20))
  }

  /// Two workers take eight parts of a batch: each has four turns in a step, with an exchange in each.
  @Test func turnsOfAStepAddUp() throws {
    let turns = MeasuredTurns([[0.01, 0.01, 0.005, 0.005], [0.01, 0.01, 0.005, 0.005]])
    let ran = StragglerMethod(.downpour, localSteps: 1, backup: 1)
    let report = try #require(
      StragglerReport(turns, [ran], ran: ran, samplesPerStep: 80, measured: 1000, ticketsPerStep: 4))
    #expect(abs(report.exchangeSeconds - 0.02) < 1e-6)
    #expect(abs(report.methods[0].samplesPerSecond - 80 / 0.06) < 1, "\(report.methods)")
  }

  @Test func equalRanksAreNotSpokenOf() throws {
    let even: [Float] = [0.1, 0.11, 0.1, 0.1, 0.05, 0.06, 0.05, 0.05]
    let report = try #require(
      StragglerReport(
        MeasuredTurns([even, even]), Self.methods, ran: Self.methods[0], samplesPerStep: 8, measured: 50))
    #expect(!report.isNotable(seconds: 4000))
    // One rank waits for nobody, and one that never worked was no part of it.
    for numbers in [[even], [even, []]] {
      #expect(
        StragglerReport(
          MeasuredTurns(numbers), Self.methods, ran: Self.methods[0], samplesPerStep: 8, measured: 50) == nil)
    }
  }

  /// The exchange is what the last to come sees of it, and of local methods only at meetings.
  @Test func exchangesWithoutWaiting() {
    let local = MeasuredTurns([
      [1, 1, 1, 1, 0, 0.5, 0, 0.1], [1, 1, 1, 1, 0, 0.1, 0, 0.9],
    ])
    #expect(abs(local.exchangeSeconds(.everybody(every: 2)) - 0.1) < 1e-6)
    #expect(abs(local.exchangeSeconds(.everybody(every: 1)) - 0.05) < 1e-6)
    let alone = MeasuredTurns([[1, 1, 0.2, 0.4], [1, 0.6]])
    #expect(abs(alone.exchangeSeconds(.nobody) - 0.4) < 1e-6)
    #expect(abs(alone.exchangeSeconds(.allBut(1)) - 0.2) < 1e-6)
  }
}
