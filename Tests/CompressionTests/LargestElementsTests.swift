import Compression
import Determinism
import Testing

/// What top-k sends is what a sort would choose, sampled or not.
@Suite struct LargestElementsTests {
  private func expectLargest(_ gradient: [Float], ratio: Double, _ name: String) {
    let codec = TopK(ratio: ratio)
    let encoder = Encoder(codec, matrix(1, gradient.count))
    let sent = encoder.sent(gradient, at: moment())
    let k = codec.kept(of: encoder.tensor)
    let sorted = gradient.indices.sorted { (gradient[$1].magnitude, $0) < (gradient[$0].magnitude, $1) }
    var expected = [Float](repeating: 0, count: gradient.count)
    for index in sorted.prefix(k) { expected[index] = gradient[index] }
    #expect(sent == expected, "\(name), ratio \(ratio)")
    #expect(encoder.message.count == 4 + (k == gradient.count ? 4 : 8) * k)
  }

  @Test func smallTensors() {
    for (rows, columns) in shapes where rows * columns < 5_000 && rows > 0 {
      for ratio in [1e-9, 0.01, 0.1, 0.5, 0.99, 1] {
        expectLargest(gradients(rows * columns, "g"), ratio: ratio, "\(rows) × \(columns)")
      }
    }
  }

  @Test func sampledTensors() {
    let count = 150_000
    for ratio in [1e-5, 0.001, 0.01, 0.1] {
      expectLargest(gradients(count, "g"), ratio: ratio, "usual")
      expectLargest([Float](repeating: 0, count: count), ratio: ratio, "zeros")
      expectLargest((0..<count).map { Float($0) }, ratio: ratio, "ascending")
      // Samples that mislead: all large elements, or none, are among them.
      for first in [0, 1] {
        let misleading = (0..<count).map { index -> Float in index % 5 == first ? 10 + Float(index % 7) : 0.001 }
        expectLargest(misleading, ratio: ratio, "misleading")
      }
    }
  }
}
