import Compression
import Testing

/// Whole exchanges against loops that know nothing of units, messages and vectors.
@Suite struct InProcessSumTests {
  private static let (rows, columns, shards) = (12, 100, 3)
  private let tensors = [
    matrix(rows, columns, name: "weight"),
    CodecTensor(name: "bias", elements: 1216..<1228, shape: [12]),
  ]

  /// A codec as a function: what is sent of a matrix.
  private typealias Loops = (_ values: [Float]) -> [Float]

  private func expectExchange(
    _ compression: GradientCompression, encodesSum: Bool, feedsBack: Bool = true, _ sent: Loops
  ) {
    var sum = InProcessSum(compression, tensors, shards: Self.shards)
    let count = Self.rows * Self.columns
    var residuals = Array(repeating: [Float](repeating: 0, count: count), count: Self.shards + 1)
    func pass(_ values: [Float], _ owner: Int) -> [Float] {
      let whole = feedsBack ? zip(values, residuals[owner]).map { $0 + $1 } : values
      let out = sent(whole)
      residuals[owner] = zip(whole, out).map { $0 - $1 }
      return out
    }
    for step in 0..<4 {
      let contributions = (0..<Self.shards).map { gradients(1228, "shard \($0)", step: step) }
      var expected = [Float](repeating: 0, count: count)
      for (shard, gradient) in contributions.enumerated() {
        expected = zip(expected, pass(Array(gradient[..<count]), shard)).map { $0 + $1 }
      }
      if encodesSum { expected = pass(expected, Self.shards) }
      let own = sum.sum(contributions, step: step)
      let error = zip(own, expected).map { ($0 - $1).magnitude }.max() ?? 0
      #expect(error <= 1e-6, "\(compression), step \(step): \(error)")
      // The bias stays as it is, and so does what belongs to no tensor.
      #expect((1216..<1228).allSatisfy { index in own[index] == contributions.reduce(0) { $0 + $1[index] } })
      #expect((count..<1216).allSatisfy { own[$0] == 0 })
    }
  }

  @Test func oneBit() {
    expectExchange(.oneBit, encodesSum: true) { values in
      (0..<Self.rows).flatMap { row -> [Float] in
        let own = values[row * Self.columns..<(row + 1) * Self.columns]
        func mean(_ values: [Float]) -> Float {
          values.isEmpty ? 0 : Float(values.reduce(0) { $0 + Double($1) } / Double(values.count))
        }
        let (above, below) = (mean(own.filter { $0 >= 0 }), mean(own.filter { $0 < 0 }))
        return own.map { $0 >= 0 ? above : below }
      }
    }
  }

  @Test func eightBit() {
    expectExchange(.eightBit, encodesSum: true) { values in
      stride(from: 0, to: values.count, by: 256).flatMap { first -> [Float] in
        let own = values[first..<min(first + 256, values.count)]
        let scale = own.map(\.magnitude).max() ?? 0
        return own.map { ($0 * (127 / scale)).rounded(.toNearestOrEven) * (scale / 127) }
      }
    }
  }

  @Test func sign() {
    expectExchange(.sign, encodesSum: false) { values in
      let mean = Float(values.reduce(0) { $0 + Double($1.magnitude) } / Double(values.count))
      return values.map { $0 >= 0 ? mean : -mean }
    }
  }

  @Test func topK() {
    expectExchange(.topK(ratio: 0.05), encodesSum: false) { values in
      let sorted = values.indices.sorted { (values[$1].magnitude, $0) < (values[$0].magnitude, $1) }
      let kept = Set(sorted.prefix(60))
      return values.indices.map { kept.contains($0) ? values[$0] : 0 }
    }
  }

  @Test func casts() {
    expectExchange(.topK(ratio: 1), encodesSum: false) { $0 }
    var sum = InProcessSum(.float16, tensors, shards: Self.shards)
    let contributions = (0..<Self.shards).map { gradients(1228, "shard \($0)") }
    let own = sum.sum(contributions, step: 0)
    func cast(_ value: Float) -> Float { Float(Float16(value)) }
    for tensor in tensors {
      for index in tensor.elements {
        #expect(own[index] == cast(contributions.reduce(0) { $0 + cast($1[index]) }))
      }
    }
    #expect(sum.bytesSent == 3 * 2 * (1200 + 12))
  }

  /// Momenta, seeds and residuals are all that a run goes on with: copies give the same bits.
  @Test func sumsAreFunctionsOfTheirState() {
    for compression in everyCompression {
      var first = InProcessSum(compression, tensors, shards: 2, momentum: 0.9)
      for step in 0..<3 {
        var second = first
        let contributions = (0..<2).map { gradients(1228, "shard \($0)", step: step) }
        let own = first.sum(contributions, epoch: step, step: step)
        #expect(bits(second.sum(contributions, epoch: step, step: step)) == bits(own))
        #expect(second.slots == first.slots && second.sumResidual == first.sumResidual && second.starts == first.starts)
        #expect(own.contains { $0 != 0 })
      }
    }
  }

  /// A gradient that is no number anywhere is never hidden.
  @Test func whatIsNotANumberIsShown() {
    for compression in everyCompression {
      if case .randomK = compression { continue }
      for bad in [Float.nan, .infinity] {
        var sum = InProcessSum(compression, tensors, shards: 2, momentum: 0.9)
        var gradient = gradients(1228, "g")
        gradient[700] = bad
        let own = sum.sum([gradients(1228, "h"), gradient], step: 0)
        #expect(own.contains { !$0.isFinite }, "\(compression), \(bad)")
      }
    }
  }
}
