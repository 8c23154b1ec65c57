import CKernels
import Determinism
import Testing

@Suite struct RandomStreamTests {
  /// Known answers of Philox4x32-10 from the Random123 distribution (`kat_vectors`).
  @Test func philoxKnownAnswers() {
    func check(_ counter: (UInt32, UInt32, UInt32, UInt32), _ key: UInt64, _ expected: SIMD4<UInt32>) {
      let out = ck_philox(ck_philox_block(word: counter), key)
      #expect(SIMD4(out.word.0, out.word.1, out.word.2, out.word.3) == expected)
    }
    check((0, 0, 0, 0), 0, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    check(
      (.max, .max, .max, .max), .max, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
    check(
      (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), 0x299f_31d0_a409_3822,
      [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
  }

  @Test func coordinatesAndPurposesGiveDifferentNumbers() {
    var seen = Set<UInt32>()
    for purpose in ["dropout/fc1", "dropout/fc2", "crop"] {
      for seed in [0, 1, UInt64.max] {
        let stream = RandomStream(seed: seed, purpose: purpose)
        for coordinate in 0..<5 as Range<UInt32> {
          seen.insert(stream.word(Int(coordinate)))
          if coordinate > 0 {
            seen.insert(stream.word(0, sample: coordinate))
            seen.insert(stream.word(0, step: coordinate))
            seen.insert(stream.word(0, epoch: coordinate))
          }
        }
      }
    }
    #expect(seen.count == 3 * 3 * (5 + 3 * 4))
  }

  @Test func uniformIsInRangeAndCentred() {
    let stream = RandomStream(seed: 7, purpose: "test")
    var sum = 0.0
    for element in 0..<100_000 {
      let u = stream.uniform(element)
      #expect(u >= 0 && u < 1)
      sum += Double(u)
    }
    #expect(abs(sum / 100_000 - 0.5) < 5 * (1.0 / 12 / 100_000).squareRoot())
  }

  @Test func integersAreEquallyLikely() {
    let stream = RandomStream(seed: 9, purpose: "test")
    var counts = [Int](repeating: 0, count: 10)
    for element in 0..<100_000 { counts[Int(stream.integer(below: 10, element))] += 1 }
    let chiSquared = counts.reduce(0.0) { $0 + (Double($1) - 10_000) * (Double($1) - 10_000) / 10_000 }
    #expect(chiSquared < 27.9)  // 99.9 % point for nine degrees of freedom
  }
}
