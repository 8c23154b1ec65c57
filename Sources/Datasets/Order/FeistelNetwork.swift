import CKernels
import Determinism

/// A keyed bijection on `0..<count`: a Feistel network over the fewest bits that hold `count − 1`, walked until the
/// value is below `count`.
///
/// The value is cut into a low and a high half (the high one a bit shorter where bits are odd). Rounds alternate: each
/// adds to one half, bit by bit, a keyed hash of the other.
struct FeistelNetwork: Sendable {
  private let count: UInt64
  private let lowBits: UInt64
  private let lowMask: UInt64
  private let lowShift: UInt32
  private let highShift: UInt32
  /// Two words a round: one is added bit by bit, the other, made odd, multiplies.
  private let keys: [UInt32]

  init(count: Int, rounds: Int, stream: RandomStream, epoch: UInt32) {
    precondition(rounds > 0 && rounds % 2 == 0)
    // At least two bits, so that neither half is without any.
    let bits = max(2, UInt64.bitWidth - UInt64(max(count, 1) - 1).leadingZeroBitCount)
    let high = bits / 2
    let low = bits - high
    self.count = UInt64(count)
    lowBits = UInt64(low)
    lowMask = 1 << UInt64(low) - 1
    lowShift = UInt32(32 - low)
    highShift = UInt32(32 - high)
    keys = (0..<rounds / 2).flatMap { pair in
      let words = stream.words(block: UInt32(pair), sample: .max, epoch: epoch)
      return [words.x, words.y | 1, words.z, words.w | 1]
    }
  }

  /// The image of a value below `count`.
  func forward(_ value: UInt64) -> UInt64 {
    var value = value
    repeat {
      var low = UInt32(truncatingIfNeeded: value & lowMask)
      var high = UInt32(truncatingIfNeeded: value >> lowBits)
      for key in stride(from: 0, to: keys.count, by: 4) {
        high ^= ck_feistel_hash(low, keys[key], keys[key + 1]) >> highShift
        low ^= ck_feistel_hash(high, keys[key + 2], keys[key + 3]) >> lowShift
      }
      value = UInt64(high) << lowBits | UInt64(low)
    } while value >= count
    return value
  }

  /// The inverse of `forward`.
  func backward(_ value: UInt64) -> UInt64 {
    var value = value
    repeat {
      var low = UInt32(truncatingIfNeeded: value & lowMask)
      var high = UInt32(truncatingIfNeeded: value >> lowBits)
      for key in stride(from: keys.count - 4, through: 0, by: -4) {
        low ^= ck_feistel_hash(high, keys[key + 2], keys[key + 3]) >> lowShift
        high ^= ck_feistel_hash(low, keys[key], keys[key + 1]) >> highShift
      }
      value = UInt64(high) << lowBits | UInt64(low)
    } while value >= count
    return value
  }

  /// Appends the images of a range, in order. The network runs over many values at once; those that are still too large
  /// are drawn together and go through it again.
  func appendForward(_ values: Range<Int>, to images: inout [Int]) {
    let blockSize = 512
    var high = [UInt32](repeating: 0, count: min(blockSize, values.count))
    var low = high
    // Where in the block the values that are on their way belong.
    var places = [Int](repeating: 0, count: high.count)
    for begin in stride(from: values.lowerBound, to: values.upperBound, by: blockSize) {
      let block = begin..<min(begin + blockSize, values.upperBound)
      let base = images.count
      for (place, value) in block.enumerated() {
        high[place] = UInt32(truncatingIfNeeded: UInt64(value) >> lowBits)
        low[place] = UInt32(truncatingIfNeeded: UInt64(value) & lowMask)
        places[place] = base + place
        images.append(0)
      }
      var walking = block.count
      while walking > 0 {
        ck_feistel(&high, &low, walking, keys, Int32(keys.count / 2), Int32(highShift), Int32(lowShift))
        var left = 0
        for index in 0..<walking {
          let value = UInt64(high[index]) << lowBits | UInt64(low[index])
          let place = places[index]
          images[place] = Int(truncatingIfNeeded: value)
          // Without a branch, which would be guessed wrong every other time.
          high[left] = high[index]
          low[left] = low[index]
          places[left] = place
          left += value >= count ? 1 : 0
        }
        walking = left
      }
    }
  }
}
