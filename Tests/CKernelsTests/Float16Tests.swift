import CKernels
import Testing

/// Rounding to float16 and back against Swift's own type, under every instruction set.
@Suite struct Float16Tests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func agreesWithFloat16UnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        let wrong = Self.mismatches()
        for bits in wrong.prefix(20) { print(set.rawValue, String(bits, radix: 16)) }
        #expect(wrong.isEmpty)
      }
    }
  }

  private static func mismatches() -> [UInt32] {
    var wrong: [UInt32] = []
    // Every pattern, forth and back; a sum with it.
    let halves = (0...UInt16.max).map { $0 }
    var wide = [Float](repeating: 0, count: halves.count)
    ck_widen_float16(halves, &wide, halves.count)
    var sums = [Float](repeating: 0.25, count: halves.count)
    ck_add_float16(halves, &sums, halves.count)
    var back = [UInt16](repeating: 0, count: halves.count)
    ck_round_to_float16(wide, &back, wide.count)
    for half in halves {
      let (own, expected) = (wide[Int(half)], Float(Float16(bitPattern: half)))
      let isRight =
        expected.isNaN
        ? own.isNaN && Float16(bitPattern: back[Int(half)]).isNaN && sums[Int(half)].isNaN
        : own.bitPattern == expected.bitPattern && back[Int(half)] == half && sums[Int(half)] == 0.25 + expected
      if !isRight { wrong.append(UInt32(half)) }
    }
    // Every upper half of a float with lower halves at the ends, and around each number's middle to the next.
    var values: [Float] = []
    for low in [0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0xffff] as [UInt32] {
      values += (0...UInt32(UInt16.max)).map { Float(bitPattern: $0 << 16 | low) }
    }
    for half in 0..<UInt16(0x7c00) {
      let middle = (Float(Float16(bitPattern: half)) + Float(Float16(bitPattern: half + 1))) / 2
      values += [middle.nextDown, middle, middle.nextUp, -middle]
    }
    values += (0..<500_000).map { Float(bitPattern: ck_philox(ck_philox_block(word: ($0, 0, 0, 0)), 3).word.0) }
    var result = [UInt16](repeating: 0, count: values.count)
    ck_round_to_float16(values, &result, values.count)
    for (value, own) in zip(values, result) {
      let expected = Float16(value)
      let isRight = expected.isNaN ? Float16(bitPattern: own).isNaN : own == expected.bitPattern
      if !isRight { wrong.append(value.bitPattern) }
    }
    // Wherever a slice ends.
    for count in 0...40 {
      var (rounded, widened) = ([UInt16](repeating: 0xabcd, count: 41), [Float](repeating: 7, count: 41))
      ck_round_to_float16(wide, &rounded, count)
      ck_widen_float16(halves, &widened, count)
      if rounded[count] != 0xabcd || widened[count] != 7 { wrong.append(UInt32(count)) }
    }
    return wrong
  }

  @Test func bfloat16IsAdded() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        let halves = (0..<300).map { UInt16(truncatingIfNeeded: 0x3f00 + $0 * 77) & 0xbfff }
        let values = CodecInput.values(300, salt: 1)
        for count in 0...70 {
          let result = CodecInput.changed(values, at: 1) { ck_add_bfloat16(halves, $0, count) }
          let expected = values.enumerated().map {
            $0 < count ? $1 + Float(bitPattern: UInt32(halves[$0]) << 16) : $1
          }
          #expect(CodecInput.areEqual(result, CodecInput.surrounded(expected, at: 1)))
        }
      }
    }
  }
}
