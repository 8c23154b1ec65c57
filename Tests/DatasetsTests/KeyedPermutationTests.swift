import Datasets
import Determinism
import Testing

@Suite struct KeyedPermutationTests {
  @Test func isABijectionWithItsInverseForEveryCount() {
    var counts = Array(0...300)
    for bits in 9...17 { counts += [-1, 0, 1].map { 1 << bits + $0 } }
    var wrong: [String] = []
    for count in counts {
      for seed in 0..<3 as Range<UInt64> {
        let permutation = KeyedPermutation(count: count, seed: seed, epoch: Int(seed))
        var seen = [Bool](repeating: false, count: count)
        var mapped: [Int] = []
        permutation.map(0..<count, into: &mapped)
        for position in 0..<count {
          let index = permutation[position]
          if index != mapped[position] || permutation.position(of: index) != position || seen[index] {
            wrong.append("position \(position) of \(count), seed \(seed)")
          }
          seen[index] = true
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.count) wrong, first \(wrong.first ?? "")")
  }

  @Test(arguments: [65_537, 262_145, 1_048_577, 1_048_575])
  func countsJustAbovePowersOfFourLoseNoSample(count: Int) {
    let permutation = KeyedPermutation(count: count, seed: 5)
    var times = [UInt8](repeating: 0, count: count)
    for position in 0..<count { times[permutation[position]] &+= 1 }
    #expect(times.allSatisfy { $0 == 1 })
  }

  @Test(arguments: [1 << 32 - 1, 1 << 32, 1 << 32 + 1, 1_230_000_000, 1 << 40 + 1, 1 << 62])
  func hugeCountsStayInRangeAndInvert(count: Int) {
    let permutation = KeyedPermutation(count: count, seed: 1)
    var seen = Set<Int>()
    for step in 0..<10_000 {
      let position = step < 5_000 ? step : count - 1 - (step - 5_000)
      let index = permutation[position]
      #expect(index >= 0 && index < count && permutation.position(of: index) == position)
      seen.insert(index)
    }
    #expect(seen.count == 10_000)
  }

  @Test func seedEpochAndPurposeEachChangeTheOrder() {
    func order(_ seed: UInt64, _ epoch: Int, _ purpose: String, _ count: Int) -> [Int] {
      var order: [Int] = []
      KeyedPermutation(count: count, seed: seed, epoch: epoch, purpose: purpose).map(0..<count, into: &order)
      return order
    }
    for count in [100, 1000] {
      let base = order(1, 1, "a", count)
      #expect(base == order(1, 1, "a", count))
      for other in [order(2, 1, "a", count), order(1, 2, "a", count), order(1, 1, "b", count)] {
        // Two random permutations agree in one place on average.
        #expect(zip(base, other).filter { $0 == $1 }.count < 12)
      }
    }
  }

  /// The published values of one small and one large permutation: a change of them changes every run.
  @Test func orderIsFixed() {
    #expect((0..<8).map { KeyedPermutation(count: 8, seed: 42)[$0] } == [0, 5, 1, 2, 6, 4, 3, 7])
    #expect(
      (0..<8).map { KeyedPermutation(count: 60_000, seed: 42, epoch: 3)[$0] }
        == [14108, 58575, 40672, 15187, 51110, 52651, 2530, 35731])
  }

  @Test func smallCountsGiveEveryPermutationEquallyOften() {
    for count in 2...7 {
      let permutations = (2...count).reduce(1, *)
      let draws = 40 * permutations
      var times: [Int: Int] = [:]
      for seed in 0..<draws {
        let permutation = KeyedPermutation(count: count, seed: UInt64(seed), epoch: seed % 5)
        let code = (0..<count).reduce(0) { $0 * count + permutation[$1] }
        times[code, default: 0] += 1
      }
      let missing = permutations - times.count
      let chiSquared = ShuffleBattery.chiSquared(
        Array(times.values) + Array(repeating: 0, count: missing), expected: 40)
      let degrees = Double(permutations - 1)
      // Wide enough for one degree of freedom, whose distribution is skewed.
      #expect(chiSquared < degrees + 5 * (2 * degrees).squareRoot(), "\(count)")
      #expect(chiSquared > degrees - 5 * (2 * degrees).squareRoot(), "\(count)")
    }
  }

  /// Just above the table, where halves of the Feistel network have four and five bits: every pair of places must take
  /// every pair of values equally often.
  @Test func smallestNetworksMixPairs() {
    for count in [257, 300, 512] {
      let draws = 200_000
      var cells = [Int](repeating: 0, count: 256)
      for seed in 0..<draws {
        let permutation = KeyedPermutation(count: count, seed: UInt64(seed))
        let (first, second) = (permutation[seed % count], permutation[(seed + 1) % count])
        cells[first * 16 / count * 16 + second * 16 / count] += 1
      }
      // Expected numbers by counting: the ranges of values are not all of one size, and a value is not drawn twice.
      var sizes = [Int](repeating: 0, count: 16)
      for value in 0..<count { sizes[value * 16 / count] += 1 }
      var chiSquared = 0.0
      for a in 0..<16 {
        for b in 0..<16 {
          let pairs = sizes[a] * (sizes[b] - (a == b ? 1 : 0))
          let expected = Double(draws) * Double(pairs) / Double(count * (count - 1))
          let difference = Double(cells[a * 16 + b]) - expected
          chiSquared += difference * difference / expected
        }
      }
      #expect(abs(chiSquared - 255) < 5 * (2 * 255.0).squareRoot(), "\(count): \(chiSquared)")
    }
  }
}
