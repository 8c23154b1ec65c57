import CKernels
import Foundation
import Testing

/// Batch normalisation with what follows it against the definition, under every instruction set.
@Suite struct BatchNormTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineAgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { BatchNormCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { BatchNormCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { BatchNormCase.expectNoMismatch(CK_AVX512) }
  }

  /// A mean far from zero must not swallow the variance, as Σx² − (Σx)² would let it.
  @Test func aLargeMeanLeavesTheVariance() {
    let example = BatchNormCase(batch: 4, channels: 20, area: 50, adds: false, ceiling: nil, offset: 4096)
    #expect(example.mismatches(bound: 2e-3) == [])
  }

  @Test func theComparisonSeesADifference() {
    let example = BatchNormCase(batch: 2, channels: 3, area: 5, adds: true, ceiling: 6, disturbing: true)
    #expect(example.mismatches().count > 3)
  }
}

/// One shape with its numbers and what the definition makes of them, row-major [batch, channels, area].
struct BatchNormCase {
  private let shape: ck_batch_norm
  private let adds: Bool
  private let ceiling: Float?
  private var inputs: [String: [Float]] = [:]
  private var reference: [String: [Double]] = [:]
  private let places: [Int]
  private let count: Int

  init(
    batch: Int, channels: Int, area: Int, adds: Bool, ceiling: Float?, offset: Float = 0, disturbing: Bool = false
  ) {
    shape = ck_batch_norm(batch: batch, channels: channels, area: area, epsilon: 1e-5)
    (self.adds, self.ceiling) = (adds, ceiling)
    var state: UInt32 = 9
    func values(_ count: Int, scale: Float = 1, offset: Float = 0) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31 * scale + offset
      }
    }
    let total = batch * channels * area
    let (x, residual, dy) = (values(total, scale: 2, offset: offset), values(total), values(total))
    // Wide enough for some values to reach a ceiling of 6.
    let (scale, shift) = (values(channels, scale: 4), values(channels, scale: 2))
    inputs = ["x": x, "residual": residual, "dy": dy, "scale": scale, "shift": shift]
    let blocks = Blocks(Int(ck_block()))
    places = blocks.images(batch, channels, area)
    count = blocks.imageCount(batch, channels, area)

    let terms = Double(batch * area)
    var mean = [Double](repeating: 0, count: channels)
    var variance = mean
    var (dscale, dshift) = (mean, mean)
    func channel(_ index: Int) -> Int { index / area % channels }
    for index in 0..<total { mean[channel(index)] += Double(x[index]) / terms }
    for index in 0..<total { variance[channel(index)] += pow(Double(x[index]) - mean[channel(index)], 2) / terms }
    let deviation = variance.map { ($0 + 1e-5).squareRoot() }
    var (y, dz, dx) = ([Double](), [Double](), [Double]())
    for index in 0..<total {
      let c = channel(index)
      let normal = (Double(x[index]) - mean[c]) / deviation[c]
      let z = normal * Double(scale[c]) + Double(shift[c]) + (adds ? Double(residual[index]) : 0)
      let limit = Double(ceiling ?? .infinity)
      y.append(ceiling == nil ? z : min(max(z, 0), limit))
      dz.append(ceiling == nil || (z > 0 && z < limit) ? Double(dy[index]) : 0)
      dscale[c] += dz[index] * normal
      dshift[c] += dz[index]
    }
    for index in 0..<total {
      let c = channel(index)
      let normal = (Double(x[index]) - mean[c]) / deviation[c]
      dx.append(Double(scale[c]) / deviation[c] * (dz[index] - dshift[c] / terms - normal * dscale[c] / terms))
    }
    reference = [
      "y": y, "mean": mean, "variance": variance, "dx": dx, "dz": dz, "dscale": dscale, "dshift": dshift,
    ]
    if disturbing { reference = reference.mapValues { $0.map { $0 + 0.1 } } }
  }

  /// What leaves the definition by more than its bound, differs between numbers of parts, or is not zero in the padding.
  func mismatches(bound: Double = 1e-5) -> [String] {
    let runs = [1, 2, 3].map { run(parts: $0) }
    // Among the channels of a larger tensor, and with a gradient to add to.
    let among = run(parts: 2, gap: 48, accumulates: true)
    var wrong: [String] = []
    for (name, values) in runs[0].sorted(by: { $0.key < $1.key }) {
      guard let expected = reference[name] else { continue }
      let isImage = values.count == count
      let own = isImage ? places.map { values[$0] } : values
      let size = max(1, expected.map(abs).max() ?? 1)
      let error = zip(own, expected).map { abs(Double($0) - $1) }.max() ?? 0
      if !(error <= bound * size) { wrong.append("\(name) is off by \(error): \(shape) \(adds) \(ceiling ?? -1)") }
      if isImage {
        let used = Set(places)
        if values.indices.contains(where: { !used.contains($0) && values[$0] != 0 }) {
          wrong.append("\(name) has padding that is not zero: \(shape)")
        }
      }
      let sum = name == "dx" ? zip(earlier, values).map(+) : values
      if among[name]?.map(\.bitPattern) != sum.map(\.bitPattern) {
        wrong.append("\(name) has other bits among other channels: \(shape)")
      }
      if runs.contains(where: { $0[name]?.map(\.bitPattern) != values.map(\.bitPattern) }) {
        wrong.append("\(name) has other bits in other parts: \(shape)")
      }
    }
    return wrong
  }

  /// Zeros in the padding, which stay so.
  private var earlier: [Float] {
    let used = Set(places)
    return (0..<count).map { used.contains($0) ? Float($0 % 7) - 3 : 0 }
  }

  /// - Parameter gap: floats between the images of the source and of its gradients.
  private func run(parts: Int, gap: Int = 0, accumulates: Bool = false) -> [String: [Float]] {
    let image = count / shape.batch
    let stride = gap == 0 ? 0 : image + gap
    func spread(_ values: [Float]) -> [Float] {
      (0..<shape.batch).flatMap {
        values[($0 * image)..<(($0 + 1) * image)] + [Float](repeating: .nan, count: gap)
      }
    }
    func blocked(_ name: String) -> [Float] {
      var result = [Float](repeating: 0, count: count)
      for (value, place) in zip(inputs[name] ?? [], places) { result[place] = value }
      return result
    }
    let channels = shape.channels
    let (x, residual, dy) = (spread(blocked("x")), blocked("residual"), blocked("dy"))
    let before = spread(earlier)
    let (scale, shift) = (inputs["scale"] ?? [], inputs["shift"] ?? [])
    var y = [Float](repeating: .nan, count: count)
    var (dx, dz) = (spread(y), y)
    var mean = [Float](repeating: .nan, count: channels)
    var (variance, dscale, dshift) = (mean, mean, mean)
    withUnsafeBuffers(x, before) { x, before in
      residual.withUnsafeBufferPointer { residual in
        scale.withUnsafeBufferPointer { scale in
          shift.withUnsafeBufferPointer { shift in
            mean.withUnsafeMutableBufferPointer { mean in
              variance.withUnsafeMutableBufferPointer { variance in
                y.withUnsafeMutableBufferPointer { y in
                  var job = ck_batch_norm_forward_job(
                    shape: shape, source: x.baseAddress, residual: adds ? residual.baseAddress : nil,
                    scale: scale.baseAddress, shift: shift.baseAddress, mean: mean.baseAddress,
                    variance: variance.baseAddress, given: 0, relu: ceiling == nil ? 0 : 1,
                    ceiling: ceiling ?? .infinity, source_stride: stride, result: y.baseAddress)
                  ck_batch_norm_forward(&job, nil, Int32(parts))
                  dy.withUnsafeBufferPointer { dy in
                    dx.withUnsafeMutableBufferPointer { dx in
                      dz.withUnsafeMutableBufferPointer { dz in
                        dscale.withUnsafeMutableBufferPointer { dscale in
                          dshift.withUnsafeMutableBufferPointer { dshift in
                            let writes = adds && ceiling != nil
                            var job = ck_batch_norm_backward_job(
                              shape: shape, source: x.baseAddress, result: UnsafePointer(y.baseAddress),
                              diff_result: dy.baseAddress, scale: scale.baseAddress, shift: shift.baseAddress,
                              mean: UnsafePointer(mean.baseAddress), variance: UnsafePointer(variance.baseAddress),
                              relu: ceiling == nil ? 0 : 1, ceiling: ceiling ?? .infinity,
                              earlier: accumulates ? before.baseAddress : nil, source_stride: stride,
                              earlier_stride: stride, diff_source_stride: stride, diff_source: dx.baseAddress,
                              diff_residual: writes ? dz.baseAddress : nil,
                              diff_scale: dscale.baseAddress, diff_shift: dshift.baseAddress)
                            ck_batch_norm_backward(&job, nil, Int32(parts))
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    dx = (0..<shape.batch).flatMap { dx[($0 * (image + gap))..<($0 * (image + gap) + image)] }
    var result = ["y": y, "mean": mean, "variance": variance, "dx": dx, "dscale": dscale, "dshift": dshift]
    if adds && ceiling != nil { result["dz"] = dz }
    return result
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    for (batch, area) in [(1, 1), (1, 7), (2, 5), (3, 16), (5, 49)] {
      for channels in [1, 8, 17, 40] {
        for adds in [false, true] {
          for ceiling in [nil, Float.infinity, 6] {
            let example = BatchNormCase(batch: batch, channels: channels, area: area, adds: adds, ceiling: ceiling)
            // One element has no variance: what is divided by ε is all rounding.
            wrong += example.mismatches(bound: batch * area == 1 ? 1e-3 : 1e-5)
          }
        }
      }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}

private func withUnsafeBuffers(
  _ a: [Float], _ b: [Float], _ body: (UnsafeBufferPointer<Float>, UnsafeBufferPointer<Float>) -> Void
) {
  a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { b in body(a, b) } }
}
