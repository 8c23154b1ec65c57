import CKernels
import Foundation
import Testing

/// Rounding to bfloat16 and back, under every instruction set.
@Suite struct BFloat16Tests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineRoundsToNearest() async {
    await #expect(processExitsWith: .success) { Self.expectNearest(CK_BASELINE) }
  }

  @Test func avx2RoundsToNearest() async {
    await #expect(processExitsWith: .success) { Self.expectNearest(CK_AVX2) }
  }

  @Test func avx512RoundsToNearest() async {
    await #expect(processExitsWith: .success) { Self.expectNearest(CK_AVX512) }
  }

  @Test func roundsToNearestWithoutDots() async {
    await #expect(processExitsWith: .success) {
      ck_forgo_dots()
      Self.expectNearest(CK_AVX512)
    }
  }

  /// The specification: of the two bfloat16 on either side the nearer one, of two as near the one that ends in zero.
  private static func rounded(_ value: Float) -> UInt16 {
    let below = UInt16(value.bitPattern >> 16)
    if value.isNaN { return below | 0x40 }
    if value.magnitude < .leastNormalMagnitude { return below & 0x8000 }
    if value.isInfinite { return below }
    let low = Double(Float(bitPattern: UInt32(below) << 16))
    // Where the next one is infinite its place is that of a number, as if there were a further exponent.
    let next = Float(bitPattern: UInt32(below &+ 1) << 16)
    let high = next.isInfinite ? (value < 0 ? -0x1p128 : 0x1p128) : Double(next)
    let (down, up) = (abs(Double(value) - low), abs(high - Double(value)))
    return down < up || (down == up && below % 2 == 0) ? below : below &+ 1
  }

  static func expectNearest(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    // Every upper half, with lower halves around the middle and the ends.
    var wrong: [UInt32] = []
    let lows: [UInt32] = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff]
    for low in lows {
      let values = (0...UInt32(UInt16.max)).map { Float(bitPattern: $0 << 16 | low) }
      var result = [UInt16](repeating: 0, count: values.count)
      ck_round_to_bfloat16(values, &result, values.count)
      for (value, own) in zip(values, result) where own != rounded(value) { wrong.append(value.bitPattern) }
      var widened = [Float](repeating: 0, count: values.count)
      ck_widen_bfloat16(result, &widened, values.count)
      for (own, wide) in zip(result, widened) where wide.bitPattern != UInt32(own) << 16 { wrong.append(UInt32(own)) }
    }
    // Wherever a slice ends.
    let values = (0..<40).map { Float($0) * 1.2345 - 20 }
    for count in 0...values.count {
      var (result, wide) = ([UInt16](repeating: 0xabcd, count: 41), [Float](repeating: 7, count: 41))
      ck_round_to_bfloat16(values, &result, count)
      ck_widen_bfloat16(result, &wide, count)
      for index in 0..<41 where result[index] != (index < count ? rounded(values[index]) : 0xabcd) {
        wrong.append(UInt32(index))
      }
      if wide[count] != 7 { wrong.append(UInt32(count)) }
    }
    for bits in wrong.prefix(20) { print(String(bits, radix: 16)) }
    #expect(wrong.isEmpty)
  }
}
