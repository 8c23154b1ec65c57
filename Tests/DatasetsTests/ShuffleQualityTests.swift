import Datasets
import Determinism
import Testing

/// The epoch's order against a Fisher–Yates shuffle, and the battery against orders that are known to be bad.
@Suite struct ShuffleQualityTests {
  static let count = 60_000

  private func statistics(_ draws: Int, _ order: (Int) -> [Int]) -> (differences: [Double], occupancy: [Double]) {
    var result: (differences: [Double], occupancy: [Double]) = ([], [])
    for draw in 0..<draws {
      let values = order(draw)
      result.differences.append(ShuffleBattery.successiveDifferences(values))
      result.occupancy.append(ShuffleBattery.blockOccupancy(values))
    }
    return result
  }

  private func expectRandom(_ statistics: (differences: [Double], occupancy: [Double]), _ what: String) {
    let differences = ShuffleBattery.deviation(ofMean: statistics.differences, degrees: 59)
    let occupancy = ShuffleBattery.deviation(ofMean: statistics.occupancy, degrees: 3481)
    #expect(abs(differences) < 4, "\(what): successive differences are \(differences) standard deviations off")
    #expect(abs(occupancy) < 4, "\(what): block occupancy is \(occupancy) standard deviations off")
    // 1e-7 points of a single draw.
    #expect(statistics.differences.max()! < 130, "\(what)")
    #expect(abs(statistics.occupancy.map { $0 - 3481 }.max { abs($0) < abs($1) }!) < 460, "\(what)")
  }

  @Test func epochOrderIsAsRandomAsFisherYates() {
    expectRandom(
      statistics(100) { draw in
        var values: [Int] = []
        let permutation = KeyedPermutation(count: Self.count, seed: UInt64(draw / 10), epoch: draw % 10)
        permutation.map(0..<Self.count, into: &values)
        return values
      }, "keyed permutation")
  }

  /// The order of one fixed position over epochs, and the place of one fixed sample.
  @Test func epochsAreIndependent() {
    for count in [1000, Self.count] {
      var cells = [Int](repeating: 0, count: 400)
      let epochs = 40_000
      for epoch in 0..<epochs {
        let now = KeyedPermutation(count: count, seed: 3, epoch: epoch)
        let next = KeyedPermutation(count: count, seed: 3, epoch: epoch + 1)
        cells[now[7] * 20 / count * 20 + next[7] * 20 / count] += 1
      }
      let chiSquared = ShuffleBattery.chiSquared(cells, expected: Double(epochs) / 400)
      #expect(abs(chiSquared - 399) < 5 * (2 * 399.0).squareRoot(), "\(count): \(chiSquared)")
    }
  }

  @Test func batteryAcceptsFisherYates() {
    expectRandom(
      statistics(30) { draw in
        Array(0..<Self.count).shuffled(seed: UInt64(draw))
      }, "Fisher–Yates")
  }

  @Test func batteryRejectsFourRoundsOfTheUsualNetwork() {
    let bad = statistics(5) { draw in
      let network = FourRoundNetwork(seed: UInt64(draw))
      return (0..<Self.count).map { network.permuted($0, count: Self.count) }
    }
    #expect(bad.differences.allSatisfy { $0 > 200 }, "\(bad.differences)")
    #expect(bad.occupancy.allSatisfy { $0 < 3481 - 5 * (2 * 3481.0).squareRoot() }, "\(bad.occupancy)")
  }

  @Test func batteryRejectsOurNetworkWithTwoRounds() {
    let bad = statistics(5) { draw in
      let permutation = KeyedPermutation(
        count: Self.count, seed: UInt64(draw), epoch: 0, purpose: "order", rounds: 2)
      return (0..<Self.count).map { permutation[$0] }
    }
    #expect(bad.differences.allSatisfy { $0 > 200 }, "\(bad.differences)")
  }

  @Test func batteryRejectsTheIdentity() {
    let bad = statistics(1) { _ in Array(0..<Self.count) }
    #expect(bad.differences[0] > 1e6 && bad.occupancy[0] > 1e6)
  }
}

/// A specimen of the widely used order: four rounds of a balanced 16-bit Feistel network whose round function is that
/// of the block cipher Simon (Beaulieu et al., 2013, section 3.1), with cycle walking.
private struct FourRoundNetwork {
  let keys: [UInt8]

  init(seed: UInt64) {
    let stream = RandomStream(seed: seed, purpose: "specimen")
    keys = (0..<4).map { UInt8(truncatingIfNeeded: stream.word($0)) }
  }

  func permuted(_ index: Int, count: Int) -> Int {
    var value = index
    repeat {
      var right = UInt8(truncatingIfNeeded: value)
      var left = UInt8(value >> 8)
      for key in keys { (left, right) = (right, left ^ function(right) ^ key) }
      value = Int(left) << 8 | Int(right)
    } while value >= count
    return value
  }

  /// (x ⋘ 1 ∧ x ⋘ 8) ⊕ x ⋘ 2; in words of eight bits a rotation by eight is none.
  private func function(_ x: UInt8) -> UInt8 { (rotated(x, 1) & x) ^ rotated(x, 2) }
  private func rotated(_ x: UInt8, _ by: UInt8) -> UInt8 { x << by | x >> (8 - by) }
}
