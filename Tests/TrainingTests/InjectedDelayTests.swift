import Testing
import Training

@Suite struct InjectedDelayTests {
  @Test func textsAndWhatTheyMean() throws {
    for text in ["2:50", "50", "random:50", "0:0.5", "0"] {
      #expect(InjectedDelay(text)?.description == text)
    }
    for text in ["", ":", "1:", ":5", "-1:5", "1:-5", "1:2:3", "slow:5", "nan", "70000", "1.5:3"] {
      #expect(InjectedDelay(text) == nil, "\(text)")
    }
    let slow = try #require(InjectedDelay("2:50"))
    #expect((0..<4).map { slow.seconds(rank: $0, turn: 3) } == [0, 0, 0.05, 0])
    let random = try #require(InjectedDelay("random:50"))
    let draws = (0..<1000).map { random.seconds(rank: 1, turn: $0) }
    #expect(draws.allSatisfy { (0..<0.1).contains($0) } && Set(draws).count > 900)
    #expect(abs(draws.reduce(0, +) / 1000 - 0.05) < 0.005)
    #expect(draws == (0..<1000).map { random.seconds(rank: 1, turn: $0) })
  }
}
