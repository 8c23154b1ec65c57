import Testing
import Training

@Suite struct InjectedDelayTests {
  @Test func textsAndWhatTheyMean() throws {
    for text in ["2:50", "50", "random:50", "0:0.5", "0", "exponential:20", "20,1:60", "random:5,0:1,exponential:2"] {
      #expect(InjectedDelay(text)?.description == text)
    }
    for text in [
      "", ":", "1:", ":5", "-1:5", "1:-5", "1:2:3", "slow:5", "nan", "70000", "1.5:3", "constant:3", ",", "1:2,", "5,x",
    ] {
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
  @Test func severalAddUp() throws {
    let both = try #require(InjectedDelay("20,1:60"))
    #expect((0..<3).map { (1000 * both.seconds(rank: $0, turn: 9)).rounded() } == [20, 80, 20])
    // Equal parts draw apart.
    let (one, two) = (try #require(InjectedDelay("random:10")), try #require(InjectedDelay("random:10,random:10")))
    #expect(two.seconds(rank: 0, turn: 0) != 2 * one.seconds(rank: 0, turn: 0))
    let exponential = try #require(InjectedDelay("exponential:50"))
    let draws = (0..<4000).map { exponential.seconds(rank: 2, turn: $0) }
    #expect(abs(draws.reduce(0, +) / 4000 - 0.05) < 0.003 && draws.allSatisfy { $0 >= 0 })
    // A part e⁻² of them is longer than twice the mean.
    #expect(abs(Double(draws.count { $0 > 0.1 }) / 4000 - 0.135) < 0.02)
  }

  @Test func aRankThatComputesIsNamed() throws {
    let delay = try #require(InjectedDelay("5,3:60"))
    try delay.check(ranks: 4)
    let error = #expect(throws: TrainingError.self) { try delay.check(ranks: 3) }
    #expect(error?.description == "--delay 5,3:60 names rank 3, but 3 ranks compute: give one from 0 to 2.")
  }
}
