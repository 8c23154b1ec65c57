import CKernels
import Testing

/// Every loop against its twin in scalar Swift, bit for bit, under every instruction set, from every offset.
@Suite struct KernelTests {
  // In a process of its own, because the limit is one for the whole process and other tests run beside this one.
  @Test func sameBitsAsTheTwinsUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for limit in [CK_BASELINE, CK_AVX2, CK_AVX512] {
        ck_limit_instruction_set(limit)
        let wrong = KernelTwins.mismatches()
        #expect(wrong.isEmpty, "limit \(limit.rawValue): \(wrong.prefix(20))")
      }
    }
  }

  @Test func theTwinsSeeADifference() {
    #expect(KernelTwins.mismatches(disturbing: true).count > 1000)
  }
}

enum KernelTwins {
  static let factor: Float = 0.3, weight: Float = 0.9, ahead: Float = 0.8
  static let adam = ck_adam_step(
    decay1: 0.9, gain1: 0.1, decay2: 0.99, gain2: 0.01, correction1: 3.7, correction2: 33.6, epsilon: 1e-6)

  /// Which kernel differs from its twin at which (offset, count). `disturbing` changes one input bit of the twins.
  static func mismatches(disturbing: Bool = false) -> [String] {
    let size = 160
    func values(_ seed: UInt32) -> [Float] {
      (0..<size).map { Float(Int32(truncatingIfNeeded: (UInt32($0) &+ seed) &* 2_654_435_761)) * 0x1p-30 }
    }
    let (x, y, z) = (values(1), values(1000), values(77).map(abs))
    var wrong: [String] = []
    func compare(_ name: String, _ offset: Int, _ count: Int, _ ours: [[Float]], _ twin: [[Float]]) {
      if ours.map({ $0.map(\.bitPattern) }) != twin.map({ $0.map(\.bitPattern) }) {
        wrong.append("\(name) offset \(offset) count \(count)")
      }
    }
    for offset in 0...17 {
      for count in 0...(size - 2 * 17 - 16) {
        let all = offset..<(offset + count)
        // Vectors of one call start at different offsets.
        let xs = x[all].map { disturbing ? $0.nextUp : $0 }
        let ys = y[(17 - offset)...].prefix(count)
        let zs = z[3...].prefix(count)
        func run(
          _ body: (
            UnsafePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>
          ) -> Void
        )
          -> [[Float]]
        {
          var (out, a, b) = ([Float](repeating: 0, count: size), y, z)
          x.withUnsafeBufferPointer { x in
            out.withUnsafeMutableBufferPointer { out in
              a.withUnsafeMutableBufferPointer { a in
                b.withUnsafeMutableBufferPointer { b in
                  body(x.baseAddress! + offset, out.baseAddress! + 5, a.baseAddress! + 17 - offset, b.baseAddress! + 3)
                }
              }
            }
          }
          // What lies around the runs is untouched, so whole vectors are compared.
          return [out, a, b]
        }
        func twin(out: [Float] = [], a: [Float]? = nil, b: [Float]? = nil) -> [[Float]] {
          var (wholeOut, wholeA, wholeB) = ([Float](repeating: 0, count: size), y, z)
          wholeOut.replaceSubrange(5..<(5 + out.count), with: out)
          if let a { wholeA.replaceSubrange((17 - offset)..<(17 - offset + count), with: a) }
          if let b { wholeB.replaceSubrange(3..<(3 + count), with: b) }
          return [wholeOut, wholeA, wholeB]
        }
        compare(
          "scale", offset, count, run { x, out, _, _ in ck_scale(out, x, factor, count) },
          twin(out: xs.map { factor * $0 }))
        compare(
          "add_decayed", offset, count, run { x, out, a, _ in ck_add_decayed(out, x, factor, a, weight, count) },
          twin(out: zip(xs, ys).map { factor * $0 + weight * $1 }))
        let traces = zip(xs, ys).map { weight * $1 + factor * $0 }
        compare(
          "trace", offset, count, run { x, _, a, _ in ck_trace(a, x, factor, weight, count) }, twin(a: traces))
        compare(
          "trace_nesterov", offset, count,
          run { x, out, a, _ in ck_trace_nesterov(out, a, x, factor, weight, ahead, count) },
          twin(out: zip(xs, traces).map { factor * $0 + ahead * $1 }, a: traces))
        for (decays, nesterov) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
          let step = ck_momentum_step(
            factor: factor, decay: 0.01, momentum: weight, rate: 0.7, decays: Int32(decays), nesterov: Int32(nesterov))
          let scaled = zip(xs, zs).map { decays == 0 ? factor * $0 : factor * $0 + 0.01 * $1 }
          let next = zip(scaled, ys).map { weight * $1 + $0 }
          let steps = nesterov == 0 ? next : zip(scaled, next).map { $0 + weight * $1 }
          compare(
            "descend_with_momentum \(decays)\(nesterov)", offset, count,
            run { x, _, a, b in ck_descend_with_momentum(b, a, x, step, count) },
            twin(a: next, b: zip(steps, zs).map { $1 - 0.7 * $0 }))
        }
        compare(
          "descend", offset, count, run { x, _, a, _ in ck_descend(a, x, factor, count) },
          twin(a: zip(xs, ys).map { $1 - factor * $0 }))
        compare(
          "blend", offset, count, run { x, _, a, _ in ck_blend(a, x, weight, count) },
          twin(a: zip(xs, ys).map { (1 - weight) * $1 + weight * $0 }))
        let first = zip(xs, ys).map { adam.decay1 * $1 + adam.gain1 * (factor * $0) }
        let second = zip(xs, zs).map { adam.decay2 * $1 + adam.gain2 * (factor * $0) * (factor * $0) }
        compare(
          "adam", offset, count, run { x, out, a, b in ck_adam(out, a, b, x, factor, adam, count) },
          twin(
            out: zip(first, second).map {
              $0 * adam.correction1 / (($1 * adam.correction2).squareRoot() + adam.epsilon)
            }, a: first, b: second))
        // In place: the output is the input.
        compare(
          "scale in place", offset, count, run { _, _, a, _ in ck_scale(a, a, factor, count) },
          twin(a: ys.map { disturbing ? 0 : factor * $0 }))
        var sum = 0.0
        x.withUnsafeBufferPointer { ck_sum_squares($0.baseAddress! + offset, count, &sum) }
        var lanes = [Double](repeating: 0, count: 16)
        for (index, value) in xs.enumerated() { lanes[index % 16] += Double(value) * Double(value) }
        if sum != lanes.reduce(0, +) { wrong.append("sum_squares offset \(offset) count \(count)") }
      }
    }
    return wrong
  }
}
