import CKernels

/// Values for the loops of codecs: of both signs and many sizes, some equal, some zero.
enum CodecInput {
  static func values(_ count: Int, salt: UInt32) -> [Float] {
    (0..<count).map { index in
      let word = ck_philox(ck_philox_block(word: (UInt32(index), salt, 0, 0)), 99).word.0
      switch word % 16 {
      case 0: return 0
      case 1: return -0.0
      case 2: return word & 256 == 0 ? 0.5 : -0.5
      default:
        let exponent = Int(word >> 8 & 7) - 6
        return Float(
          sign: word & 128 == 0 ? .plus : .minus, exponent: exponent, significand: 1 + Float(word >> 16) / 65536)
      }
    }
  }

  /// Runs a body over memory that holds values from an offset on, and gives back all of it.
  static func changed(
    _ values: [Float], at offset: Int, _ body: (UnsafeMutablePointer<Float>) -> Void
  ) -> [Float] {
    var memory = [Float](repeating: 77, count: offset) + values + [Float](repeating: 77, count: 17)
    memory.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { body(base + offset) } }
    return memory
  }

  static func surrounded(_ values: [Float], at offset: Int) -> [Float] {
    [Float](repeating: 77, count: offset) + values + [Float](repeating: 77, count: 17)
  }

  static func areEqual(_ a: [Float], _ b: [Float]) -> Bool { a.map(\.bitPattern) == b.map(\.bitPattern) }

  static let sets = [CK_BASELINE, CK_AVX2, CK_AVX512]
}
