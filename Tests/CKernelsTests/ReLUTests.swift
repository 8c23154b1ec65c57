import CKernels
import Testing

/// The gradient of a ReLU against its definition, under every instruction set, from every offset, in place and not.
@Suite struct ReLUTests {
  // In a process of its own, because the limit is one for the whole process and other tests run beside this one.
  @Test func agreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) {
      for limit in [CK_BASELINE, CK_AVX2, CK_AVX512] {
        ck_limit_instruction_set(limit)
        #expect(Self.mismatches() == 0)
      }
    }
  }

  private static func mismatches() -> Int {
    let results: [Float] = (0..<90).map { [1.5, 0, -0.0, .nan, .infinity, .leastNormalMagnitude, 0][$0 % 7] }
    let gradients = (0..<90).map { Float($0) - 40 }
    var wrong = 0
    for offset in 0...17 {
      for count in 0...70 {
        for isInPlace in [false, true] {
          var made = isInPlace ? gradients : [Float](repeating: 7, count: 90)
          let before = made
          results.withUnsafeBufferPointer { results in
            gradients.withUnsafeBufferPointer { gradients in
              made.withUnsafeMutableBufferPointer { made in
                guard let y = results.baseAddress, let dx = made.baseAddress, let other = gradients.baseAddress else {
                  return
                }
                let dy = isInPlace ? UnsafePointer(dx) : other
                ck_relu_backward(y + offset, dy + offset, dx + offset, count)
              }
            }
          }
          for index in made.indices {
            let isInside = (offset..<offset + count).contains(index)
            let expected = !isInside ? before[index] : results[index] > 0 ? gradients[index] : 0
            if made[index].bitPattern != expected.bitPattern { wrong += 1 }
          }
        }
      }
    }
    return wrong
  }
}
