import Determinism

/// A keyed bijection on `0 ..< 2^bits`, with the fewest bits that hold `count − 1`.
///
/// The value is cut into a low and a high half (the high one a bit shorter where bits are odd). Rounds alternate: each
/// adds to one half, bit by bit, a keyed hash of the other.
struct FeistelNetwork: Sendable {
  private let lowBits: UInt64
  private let lowMask: UInt64
  private let highMask: UInt64
  private let lowShift: UInt32
  private let highShift: UInt32
  private let rounds: Int
  /// Two words a round: one is added bit by bit, the other, made odd, multiplies.
  private let keys: InlineArray<16, SIMD2<UInt32>>

  init(count: Int, rounds: Int, stream: RandomStream, epoch: UInt32) {
    precondition(rounds % 2 == 0 && rounds <= 16)
    // At least two bits, so that neither half is without any.
    let bits = max(2, UInt64.bitWidth - UInt64(max(count, 1) - 1).leadingZeroBitCount)
    let high = bits / 2
    let low = bits - high
    lowBits = UInt64(low)
    lowMask = 1 << UInt64(low) - 1
    highMask = 1 << UInt64(high) - 1
    lowShift = UInt32(32 - low)
    highShift = UInt32(32 - high)
    self.rounds = rounds
    keys = InlineArray { round in
      let words = stream.words(block: UInt32(round / 2), sample: .max, epoch: epoch)
      return round % 2 == 0 ? SIMD2(words.x, words.y | 1) : SIMD2(words.z, words.w | 1)
    }
  }

  @inline(__always)
  func forward(_ value: UInt64) -> UInt64 {
    var low = UInt32(truncatingIfNeeded: value & lowMask)
    var high = UInt32(truncatingIfNeeded: value >> lowBits)
    var round = 0
    while round < rounds {
      high ^= hash(low, keys[round]) &>> highShift
      low ^= hash(high, keys[round + 1]) &>> lowShift
      round += 2
    }
    return UInt64(high) << lowBits | UInt64(low)
  }

  @inline(__always)
  func backward(_ value: UInt64) -> UInt64 {
    var low = UInt32(truncatingIfNeeded: value & lowMask)
    var high = UInt32(truncatingIfNeeded: value >> lowBits)
    var round = rounds
    while round > 0 {
      round -= 2
      low ^= hash(high, keys[round + 1]) &>> lowShift
      high ^= hash(low, keys[round]) &>> highShift
    }
    return UInt64(high) << lowBits | UInt64(low)
  }

  /// 32 bits of which the upper ones depend on every bit of `half`.
  @inline(__always)
  private func hash(_ half: UInt32, _ key: SIMD2<UInt32>) -> UInt32 {
    var bits = (half ^ key.x) &* 0x9e37_79b1
    bits ^= bits >> 15
    return bits &* key.y
  }
}
