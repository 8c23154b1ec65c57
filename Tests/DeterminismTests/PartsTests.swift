import Determinism
import Testing

@Suite struct PartsTests {
  @Test func partsCoverEverythingOnceInOrder() {
    for count in 1...17 {
      for total in 0...40 {
        var next = 0
        for index in 0..<count {
          let range = part(index, of: count, in: total)
          #expect(range.lowerBound == next, "part \(index) of \(count) in \(total)")
          #expect(range.count == total / count || range.count == (total + count - 1) / count)
          for element in range { #expect(partIndex(holding: element, of: count, in: total) == index) }
          next = range.upperBound
        }
        #expect(next == total)
      }
    }
  }

  @Test func productsBeyond64BitsAreExact() {
    #expect(part(2, of: 3, in: Int.max).upperBound == Int.max)
    #expect(part(1, of: 1 << 40, in: 1 << 41) == 2..<4)
  }
}
