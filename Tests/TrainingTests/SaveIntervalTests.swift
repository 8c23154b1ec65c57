import Testing
import Training

/// When checkpoints are due.
@Suite struct SaveIntervalTests {
  @Test func textsAreRead() {
    for (text, interval) in [
      ("200", SaveInterval(200, .steps)), ("7st", SaveInterval(7, .steps)), ("2ep", SaveInterval(2, .epochs)),
      ("10min", SaveInterval(10, .minutes)),
    ] {
      #expect(SaveInterval(text) == interval, "\(text)")
      #expect(SaveInterval(interval.description) == interval)
    }
    for text in ["", "0", "-1", "2h", "ep", "1.5min", "10 min", "min10", "0ep"] {
      #expect(SaveInterval(text) == nil, "\(text)")
    }
  }

  @Test func dueIsWhatTheUnitCounts() {
    let steps = (1...7).filter { SaveInterval(3, .steps).isDue(afterStep: $0, epoch: nil, seconds: 1e9) }
    #expect(steps == [3, 6])
    let epochs = (1...5).filter { SaveInterval(2, .epochs).isDue(afterStep: 10 * $0, epoch: $0, seconds: 1e9) }
    #expect(epochs == [2, 4])
    #expect(!SaveInterval(1, .epochs).isDue(afterStep: 10, epoch: nil, seconds: 1e9))
    #expect(!SaveInterval(2, .minutes).isDue(afterStep: 10, epoch: 1, seconds: 119))
    #expect(SaveInterval(2, .minutes).isDue(afterStep: 10, epoch: nil, seconds: 120))
  }
}
