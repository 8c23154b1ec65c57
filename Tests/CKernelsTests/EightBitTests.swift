import CKernels
import Testing

/// Eight bits an element against the definition, under every instruction set, from every offset.
@Suite struct EightBitTests {
  @Test func sameBitsAsTheDefinitionUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        for offset in 0...16 {
          for count in [0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 256] {
            #expect(Self.agrees(offset, count, scale: 1), "set \(set.rawValue), offset \(offset), count \(count)")
          }
        }
        for scale in [0, 0x1p-120, 0x1p-103, 0x1p-98, 0x1p100] as [Float] {
          #expect(Self.agrees(3, 100, scale: scale), "set \(set.rawValue), scale \(scale)")
        }
        for bad in [Float.nan, .infinity, -.infinity] { #expect(Self.showsWhatIsNoNumber(bad)) }
      }
    }
  }

  /// The definition: a whole number of 127ths of the largest magnitude for each element.
  private static func agrees(_ offset: Int, _ count: Int, scale factor: Float) -> Bool {
    let (old, gradient) = (
      CodecInput.values(count, salt: 1).map { factor * $0 }, CodecInput.values(count, salt: 2).map { factor * $0 }
    )
    let sums = zip(old, gradient).map { $0 + $1 }
    let largest = sums.map(\.magnitude).max() ?? 0
    let scale = largest < 0x1p-100 ? 0 : largest
    // A code has one zero.
    let codes = sums.map { scale == 0 ? 0 : ($0 * (127 / scale)).rounded(.toNearestOrEven) + 0 }
    let decoded = codes.map { $0 * (scale / 127) }

    var bytes = [UInt8](repeating: 0xee, count: 4 + count + 1)
    let residual = CodecInput.changed(old, at: offset) { ck_encode_eight_bit($0, gradient, &bytes, count) }
    let left = zip(sums, decoded).map { $0 - $1 }
    let expected = withUnsafeBytes(of: scale) { Array($0) } + codes.map { UInt8(bitPattern: Int8($0)) } + [0xee]
    let values = CodecInput.changed(gradient, at: offset) { ck_decode_eight_bit(bytes, $0, count) }
    let added = CodecInput.changed(gradient, at: offset) { ck_add_eight_bit(bytes, $0, count) }
    return bytes == expected && CodecInput.areEqual(residual, CodecInput.surrounded(left, at: offset))
      && zip(values, CodecInput.surrounded(decoded, at: offset)).allSatisfy { $0 == $1 }
      && CodecInput.areEqual(added, CodecInput.surrounded(zip(gradient, decoded).map { $0 + $1 }, at: offset))
  }

  private static func showsWhatIsNoNumber(_ bad: Float) -> Bool {
    var (residual, values) = (CodecInput.values(40, salt: 3), [Float](repeating: 0, count: 40))
    residual[17] = bad
    var bytes = [UInt8](repeating: 0, count: 44)
    ck_encode_eight_bit(&residual, values, &bytes, 40)
    ck_decode_eight_bit(bytes, &values, 40)
    return values.allSatisfy(\.isNaN)
  }
}
