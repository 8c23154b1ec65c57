import Compression
import Foundation
import TensorFiles
import Testing

/// Sums of two shards against those of PyTorch's communication hooks (Tests/References/make_codec_references.py).
@Suite struct HookTests {
  private static let (rows, columns, steps) = (12, 20, 5)
  private static let tensor = matrix(rows, columns)

  private func reference(_ name: String) throws -> [Float] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
    return try SafetensorsFile(path: "\(folder)/References/hooks.safetensors").floats(name)
  }

  /// A worker's gradient as the reference has it: a linear congruential generator's high bits.
  private func gradient(_ worker: Int, _ step: Int) -> [Float] {
    var state = UInt32(1000 * worker + step + 1)
    let values = (0..<Self.rows * Self.columns + 8).map { _ in
      state = 1_664_525 &* state &+ 1_013_904_223
      return Float(state >> 8) / 16_777_216 - 0.5
    }
    return Array(values.dropFirst(8))
  }

  /// The workers' parts of the mean.
  private func contributions(_ step: Int) -> [[Float]] { (0..<2).map { gradient($0, step).map { $0 / 2 } } }

  @Test(arguments: [(GradientCompression.float16, "float16"), (.bfloat16, "bfloat16")])
  func castsHaveTheBitsOfTheHooks(_ compression: GradientCompression, _ name: String) throws {
    var sum = InProcessSum(compression, [Self.tensor], shards: 2)
    for step in 0..<Self.steps {
      #expect(try sum.sum(contributions(step), step: step) == reference("\(name)/\(step)"), "step \(step)")
    }
  }

  /// The hook's first steps are dense, and its first start is its own; from then on its factors are followed, with what it has not
  /// sent. (It gives each worker another part of that, with the same sum.)
  @Test func factorsAreThoseOfTheHook() throws {
    for step in 0..<2 {
      let mean = zip(gradient(0, step), gradient(1, step)).map { ($0 + $1) / 2 }
      #expect(try zip(mean, reference("powersgd/\(step)")).allSatisfy { abs($0 - $1) < 1e-6 }, "step \(step)")
    }
    var sum = InProcessSum(.powerSGD(rank: 2), [Self.tensor], shards: 2)
    let sent = try reference("powersgd/2")
    let gradients = contributions(2)
    sum.slots[0][0] = sent.indices.map { gradients[0][$0] + gradients[1][$0] - sent[$0] }
    // There [columns, rank], here [rank, columns].
    let start = try reference("powersgd/start/3")
    sum.starts[0] = (0..<2).flatMap { vector in (0..<Self.columns).map { start[2 * $0 + vector] } }
    for step in 3..<Self.steps {
      let found = sum.sum(contributions(step), step: step)
      let expected = try reference("powersgd/\(step)")
      let scale = expected.map(abs).max() ?? 0
      for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-5 * scale, "step \(step): \(a), there \(b)") }
    }
  }
}
