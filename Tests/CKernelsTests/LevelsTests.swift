import CKernels
import Testing

/// Elements rounded at random to levels against the definition, under every instruction set, for every number of bits.
@Suite struct LevelsTests {
  @Test func sameBitsAsTheDefinitionUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        for levels in [1, 2, 3, 4, 7, 15, 16, 31, 40, 63, 64, 127] {
          for count in [0, 1, 3, 4, 5, 8, 15, 63, 64, 65, 200, 512] {
            for first in [0, 4, 512] {
              #expect(
                Self.agrees(first, count, levels), "set \(set.rawValue), \(levels) levels, \(count) from \(first)")
            }
          }
        }
        #expect(Self.spreads())
      }
    }
  }

  private static let draws = ck_draws(key: 0x1234_5678_9abc_def0, sample: 7, step: 8, epoch: 9)

  /// The word of one element.
  private static func word(_ element: Int) -> UInt32 {
    let block = ck_philox(ck_philox_block(word: (UInt32(element / 4), 7, 8, 9)), draws.key).word
    return [block.0, block.1, block.2, block.3][element % 4]
  }

  private static func agrees(_ first: Int, _ count: Int, _ levels: Int) -> Bool {
    let bits = Int.bitWidth - (2 * levels).leadingZeroBitCount
    let values = CodecInput.values(count, salt: 8)
    // Smaller than some of the elements, which then count as the scale.
    let scale: Float = 2
    let coding = ck_level_coding(scale: scale, levels: Int32(levels), bits: Int32(bits))
    let whole = values.enumerated().map { index, value -> Int in
      let level = value.magnitude * (Float(levels) / scale) + Float(word(first + index) >> 8) * 0x1p-24
      return min(Int(level), levels) * (value.sign == .minus ? -1 : 1)
    }
    // Codes bit by bit, the lowest first.
    let length = ck_level_bytes(count, Int32(bits))
    var expected = [UInt8](repeating: 0, count: length) + [0xee]
    for (index, level) in whole.enumerated() {
      for bit in 0..<bits where (level + levels) >> bit & 1 == 1 {
        let position = index * bits + bit
        expected[position / 8] |= 1 << (position % 8)
      }
    }
    var packed = [UInt8](repeating: 0xee, count: length + 1)
    ck_encode_levels(values, coding, draws, first, count, &packed)
    var sums = values
    ck_add_levels(packed, coding, &sums, count)
    let added = zip(values, whole).map { $0 + Float($1) * (scale / Float(levels)) }
    return packed == expected && CodecInput.areEqual(sums, added)
  }

  private static func spreads() -> Bool {
    (0...50).allSatisfy { count in
      let values = CodecInput.values(count, salt: 9)
      var (sums, squares) = ([Double](repeating: 0, count: 16), [Double](repeating: 0, count: 16))
      for (index, value) in values.enumerated() {
        sums[index % 16] += Double(value)
        squares[index % 16] += Double(value) * Double(value)
      }
      var spread = ck_spread()
      ck_measure_spread(values, count, &spread)
      return spread.sum == sums.reduce(0, +) && spread.squares == squares.reduce(0, +)
        && spread.largest == values.map(\.magnitude).max() ?? 0
    }
  }
}
