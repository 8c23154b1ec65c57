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
    batch: Int, channels: Int, area: Int, adds: Bool, ceiling: Float?, offset: Float = 0, disturbing: Bool = false,
    in storage: ck_storage = CK_IN_FLOAT32
  ) {
    shape = ck_batch_norm(batch: batch, channels: channels, area: area, epsilon: 1e-5, storage: storage)
    (self.adds, self.ceiling) = (adds, ceiling)
    var state: UInt32 = 9
    func values(_ count: Int, scale: Float = 1, offset: Float = 0) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31 * scale + offset
      }
    }
    let total = batch * channels * area
    func image(_ values: [Float]) -> [Float] { StoredImage.kept(values, storage) }
    let x = image(values(total, scale: 2, offset: offset))
    let (residual, dy) = (image(values(total)), image(values(total)))
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
      // With a residual the result tells where the ReLU was open, as it is stored.
      let told = adds ? Double(image([Float(z)])[0]) : z
      dz.append(ceiling == nil || (told > 0 && told < limit) ? Double(dy[index]) : 0)
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
      // A stored image has eight bits.
      let bound = isImage && shape.storage == CK_IN_BFLOAT16 ? max(bound, 0x1p-8) : bound
      if !(error <= bound * size) { wrong.append("\(name) is off by \(error): \(shape) \(adds) \(ceiling ?? -1)") }
      if isImage {
        let used = Set(places)
        if values.indices.contains(where: { !used.contains($0) && values[$0] != 0 }) {
          wrong.append("\(name) has padding that is not zero: \(shape)")
        }
      }
      let sum = name == "dx" ? zip(earlier, values).map(+) : values
      // In bfloat16 the sum is rounded once, here twice.
      let isExact = name != "dx" || shape.storage == CK_IN_FLOAT32
      if isExact, among[name]?.map(\.bitPattern) != sum.map(\.bitPattern) {
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
    let imageCount = count / shape.batch
    let stride = gap == 0 ? 0 : imageCount + gap
    func spread(_ values: [Float]) -> [Float] {
      (0..<shape.batch).flatMap {
        values[($0 * imageCount)..<(($0 + 1) * imageCount)] + [Float](repeating: .nan, count: gap)
      }
    }
    func blocked(_ name: String) -> [Float] {
      var result = [Float](repeating: 0, count: count)
      for (value, place) in zip(inputs[name] ?? [], places) { result[place] = value }
      return result
    }
    let channels = shape.channels
    func image(_ name: String) -> StoredImage { StoredImage(blocked(name), shape.storage) }
    let (residual, dy) = (image("residual"), image("dy"))
    let (x, before) = (StoredImage(spread(blocked("x")), shape.storage), StoredImage(spread(earlier), shape.storage))
    let (scale, shift) = (inputs["scale"] ?? [], inputs["shift"] ?? [])
    func made() -> StoredImage { StoredImage(count: count, shape.storage) }
    let (y, dz) = (made(), made())
    let dx = StoredImage(count: count + shape.batch * gap, shape.storage)
    var mean = [Float](repeating: .nan, count: channels)
    var (variance, dscale, dshift) = (mean, mean, mean)
    var forward = ck_batch_norm_forward_job()
    forward.shape = shape
    (forward.source, forward.residual) = (UnsafeRawPointer(x.memory), adds ? UnsafeRawPointer(residual.memory) : nil)
    (forward.relu, forward.ceiling, forward.result) = (ceiling == nil ? 0 : 1, ceiling ?? .infinity, y.memory)
    var backward = ck_batch_norm_backward_job()
    backward.shape = shape
    (backward.source, backward.result) = (UnsafeRawPointer(x.memory), UnsafeRawPointer(y.memory))
    backward.diff_result = UnsafeRawPointer(dy.memory)
    (backward.relu, backward.ceiling, backward.diff_source) = (forward.relu, forward.ceiling, dx.memory)
    backward.diff_residual = adds && ceiling != nil ? dz.memory : nil
    forward.source_stride = stride
    (backward.source_stride, backward.earlier_stride, backward.diff_source_stride) = (stride, stride, stride)
    backward.earlier = accumulates ? UnsafeRawPointer(before.memory) : nil
    scale.withUnsafeBufferPointer { scale in
      shift.withUnsafeBufferPointer { shift in
        mean.withUnsafeMutableBufferPointer { mean in
          variance.withUnsafeMutableBufferPointer { variance in
            dscale.withUnsafeMutableBufferPointer { dscale in
              dshift.withUnsafeMutableBufferPointer { dshift in
                (forward.scale, forward.shift) = (scale.baseAddress, shift.baseAddress)
                (forward.mean, forward.variance) = (mean.baseAddress, variance.baseAddress)
                ck_batch_norm_forward(&forward, nil, Int32(parts))
                (backward.scale, backward.shift) = (scale.baseAddress, shift.baseAddress)
                backward.mean = UnsafePointer(mean.baseAddress)
                backward.variance = UnsafePointer(variance.baseAddress)
                (backward.diff_scale, backward.diff_shift) = (dscale.baseAddress, dshift.baseAddress)
                ck_batch_norm_backward(&backward, nil, Int32(parts))
              }
            }
          }
        }
      }
    }
    let ownGradient = (0..<shape.batch).flatMap {
      dx.values[($0 * (imageCount + gap))..<($0 * (imageCount + gap) + imageCount)]
    }
    var result = [
      "y": y.values, "mean": mean, "variance": variance, "dx": ownGradient, "dscale": dscale, "dshift": dshift,
    ]
    if adds && ceiling != nil { result["dz"] = dz.values }
    return result
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    for (batch, area) in [(1, 1), (1, 7), (2, 5), (3, 16), (5, 49)] {
      for channels in [1, 8, 17, 40] {
        for adds in [false, true] {
          for ceiling in [nil, Float.infinity, 6] {
            for storage in [CK_IN_FLOAT32, CK_IN_BFLOAT16] {
              let example = BatchNormCase(
                batch: batch, channels: channels, area: area, adds: adds, ceiling: ceiling, in: storage)
              // One element has no variance: what is divided by ε is all rounding.
              wrong += example.mismatches(bound: batch * area == 1 ? 1e-3 : 1e-5)
            }
          }
        }
      }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
