import CKernels
import Testing

/// Error feedback and momentum correction against their definitions, under every instruction set, from every offset.
@Suite struct FeedbackTests {
  @Test func sameBitsAsTheDefinitionsUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        for offset in 0...16 {
          for count in 0...70 {
            #expect(Self.feedsBack(offset, count), "set \(set.rawValue), offset \(offset), count \(count)")
            #expect(Self.corrects(offset, count), "set \(set.rawValue), offset \(offset), count \(count)")
          }
        }
      }
    }
  }

  private static func feedsBack(_ offset: Int, _ count: Int) -> Bool {
    let (residual, gradient) = (CodecInput.values(count, salt: 1), CodecInput.values(count, salt: 2))
    let result = CodecInput.changed(residual, at: offset) { ck_feed_back($0, gradient, 0.3, count) }
    let expected = zip(residual, gradient).map { 0.3 * $1 + $0 }
    return CodecInput.areEqual(result, CodecInput.surrounded(expected, at: offset))
  }

  private static func corrects(_ offset: Int, _ count: Int) -> Bool {
    let vectors = (1...4).map { CodecInput.values(count, salt: UInt32($0)) }
    for (nesterov, decays) in [(0, false), (0, true), (1, false), (1, true)] as [(Int32, Bool)] {
      let step = ck_momentum_correction(factor: 0.3, decay: 0.01, momentum: 0.9, nesterov: nesterov)
      var velocity = vectors[0]
      let accumulated = CodecInput.changed(vectors[1], at: offset) { accumulated in
        vectors[3].withUnsafeBufferPointer {
          ck_correct_momentum(&velocity, accumulated, vectors[2], decays ? $0.baseAddress : nil, step, count)
        }
      }
      let scaled = zip(vectors[2], vectors[3]).map { decays ? 0.3 * $0 + 0.01 * $1 : 0.3 * $0 }
      let next = zip(vectors[0], scaled).map { 0.9 * $0 + $1 }
      let sum = (0..<count).map { vectors[1][$0] + (nesterov == 0 ? next[$0] : scaled[$0] + 0.9 * next[$0]) }
      if !CodecInput.areEqual(velocity, next) { return false }
      if !CodecInput.areEqual(accumulated, CodecInput.surrounded(sum, at: offset)) { return false }
    }
    return true
  }
}
