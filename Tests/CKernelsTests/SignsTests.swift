import CKernels
import Testing

/// One bit an element against the definition, under every instruction set, from every offset.
@Suite struct SignsTests {
  @Test func sameBitsAsTheDefinitionUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        for offset in 0...16 {
          for count in 0...70 {
            #expect(Self.agrees(offset, count), "set \(set.rawValue), offset \(offset), count \(count)")
          }
        }
      }
    }
  }

  private static func agrees(_ offset: Int, _ count: Int) -> Bool {
    let (old, gradient) = (CodecInput.values(count, salt: 5), CodecInput.values(count, salt: 6))
    let values = zip(old, gradient).map { 0.7 * $1 + $0 }
    // Sixteen lanes, literally.
    var (above, below) = ([Double](repeating: 0, count: 16), [Double](repeating: 0, count: 16))
    for (index, value) in values.enumerated() {
      if value >= 0 { above[index % 16] += Double(value) } else { below[index % 16] += Double(value) }
    }
    var sums = ck_sign_sums()
    let fed = CodecInput.changed(old, at: offset) { ck_feed_back_signs($0, gradient, 0.7, count, &sums) }
    guard CodecInput.areEqual(fed, CodecInput.surrounded(values, at: offset)),
      sums.positive == above.reduce(0, +), sums.negative == below.reduce(0, +),
      sums.positives == values.count(where: { $0 >= 0 })
    else { return false }

    var bits = [UInt8](repeating: 0xee, count: (count + 7) / 8 + 1)
    let left = CodecInput.changed(values, at: offset) { ck_encode_signs($0, 0.4, -0.3, &bits, count) }
    var expected = [UInt8](repeating: 0, count: (count + 7) / 8) + [0xee]
    for (index, value) in values.enumerated() where value >= 0 { expected[index / 8] |= 1 << (index % 8) }
    let decoded = values.map { $0 >= 0 ? Float(0.4) : -0.3 }
    let read = CodecInput.changed(old, at: offset) { ck_decode_signs(bits, 0.4, -0.3, $0, count) }
    let added = CodecInput.changed(old, at: offset) { ck_add_signs(bits, 0.4, -0.3, $0, count) }
    return bits == expected
      && CodecInput.areEqual(left, CodecInput.surrounded(zip(values, decoded).map { $0 - $1 }, at: offset))
      && CodecInput.areEqual(read, CodecInput.surrounded(decoded, at: offset))
      && CodecInput.areEqual(added, CodecInput.surrounded(zip(old, decoded).map { $0 + $1 }, at: offset))
  }
}
