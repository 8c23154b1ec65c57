import Networks
import Testing

@Suite struct WindowTests {
  /// PyTorch's adaptive pool by its definition: output i reads ⌊i·extent/out⌋ ..< ⌈(i + 1)·extent/out⌉.
  private func windows(_ extent: Int, _ out: Int) -> [Range<Int>] {
    (0..<out).map { $0 * extent / out..<(($0 + 1) * extent + out - 1) / out }
  }

  @Test func equalAdaptiveWindowsAreFound() {
    for extent in 1...60 {
      for out in 1...9 {
        let expected = windows(extent, out)
        guard let window = Window(cutting: [extent, extent], into: [out, out]) else {
          // Windows of several sizes, or several at one place.
          let distances = Set(zip(expected, expected.dropFirst()).map { $1.lowerBound - $0.lowerBound })
          #expect(Set(expected.map(\.count)).count > 1 || distances.count > 1 || distances == [0], "\(extent) \(out)")
          continue
        }
        #expect(window.outputExtents(extent, extent) == [out, out] && window.padding == [0, 0])
        for (place, range) in expected.enumerated() {
          let start = place * window.stride[0]
          #expect(start..<start + window.kernel[0] == range, "\(extent) into \(out)")
        }
      }
    }
  }
}
