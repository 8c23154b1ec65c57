import CKernels
import Testing

/// Sums of vectors against their definition, under every instruction set, from every offset, in place and not.
@Suite struct SumTests {
  // In a process of its own, because the limit is one for the whole process and other tests run beside this one.
  @Test func agreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) {
      for limit in [CK_BASELINE, CK_AVX2, CK_AVX512] {
        ck_limit_instruction_set(limit)
        #expect(Self.mismatches() == 0)
      }
    }
  }

  /// Terms of four vectors: one alone, a chain, a tree, the deepest nest that fits.
  private static let expressions: [[Int32]] = [
    [2], [0, plus(1)], [3, plus(0), plus(2), plus(1)], [0, plus(1), 2, plus(3), -1], [0, 1, 2, 3, -1, -1, -1],
    (0..<24).map { Int32($0 % 4) } + Array(repeating: -1, count: 23),
  ]

  private static func plus(_ vector: Int32) -> Int32 { -2 - vector }

  private static func mismatches() -> Int {
    // Rounding shows the order of additions.
    let length = 700
    let vectors: [[Float]] = (0..<4).map { vector in
      (0..<length).map {
        Float(sign: $0 % 3 == 0 ? .minus : .plus, exponent: ($0 * 7 + vector * 5) % 23, significand: 1.37)
      }
    }
    var wrong = 0
    for terms in expressions {
      for (first, count) in [(0, 700), (1, 0), (3, 1), (5, 127), (16, 128), (17, 129), (33, 400), (64, 255)] {
        for target in 0...4 {
          // Vector 4 is the result where it is none of the operands.
          let memory = (vectors + [[Float](repeating: 7, count: length)]).map { values in
            let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: length)
            _ = buffer.initialize(from: values)
            return buffer
          }
          let pointers = memory.map { $0.baseAddress.map { UnsafePointer($0) } }
          guard let result = memory[target].baseAddress else { return 1 }
          ck_sum(result, pointers, first, count, terms, Int32(terms.count))
          for index in 0..<length {
            let isInside = (first..<first + count).contains(index)
            let before: Float = target < 4 ? vectors[target][index] : 7
            let expected = isInside ? sum(terms, vectors, index) : before
            if memory[target][index].bitPattern != expected.bitPattern { wrong += 1 }
          }
          memory.forEach { $0.deallocate() }
        }
      }
    }
    return wrong
  }

  private static func sum(_ terms: [Int32], _ vectors: [[Float]], _ index: Int) -> Float {
    var sums: [Float] = []
    for term in terms {
      if term >= 0 {
        sums.append(vectors[Int(term)][index])
      } else {
        let right = term == -1 ? sums.removeLast() : vectors[Int(-2 - term)][index]
        sums[sums.count - 1] += right
      }
    }
    return sums[0]
  }
}
