import CKernels
import Testing

/// Depthwise convolutions against the definition, under every instruction set.
@Suite struct DepthwiseTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineAgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { DepthwiseCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { DepthwiseCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { DepthwiseCase.expectNoMismatch(CK_AVX512) }
  }

  @Test func theComparisonSeesADifference() {
    let example = DepthwiseCase(batch: 1, channels: 3, extents: (5, 6), kernel: 3, stride: 2, padding: (1, 1))
    #expect(example.mismatches(disturbing: true).count == 4)
  }

  /// A vanished gradient or a diverged loss must not be hidden by the ReLU.
  @Test func whatIsNotANumberStaysSo() {
    var example = DepthwiseCase(batch: 1, channels: 3, extents: (6, 6), kernel: 3, stride: 1, padding: (1, 1))
    example.source[0] = .nan
    #expect(example.run(CK_FORWARD, parts: 1).output.contains { $0.isNaN })
  }
}

/// One shape with its numbers and what the definition makes of them, row-major.
struct DepthwiseCase {
  private var shape: ck_depthwise
  private let sourceBlocks: (places: [Int], count: Int)
  private let resultBlocks: (places: [Int], count: Int)
  private let weightBlocks: (places: [Int], count: Int)
  var source: [Float]
  private let weights, bias, diffResult: [Float]
  private var result, diffSource, diffWeights, diffBias: [Double]

  init(batch: Int, channels: Int, extents: (Int, Int), kernel: Int, stride: Int, padding: (Int, Int)) {
    let (height, width) = extents
    let outHeight = (height + 2 * padding.0 - kernel) / stride + 1
    let outWidth = (width + 2 * padding.1 - kernel) / stride + 1
    shape = ck_depthwise(
      batch: batch, channels: channels, height: height, width: width, out_height: outHeight, out_width: outWidth,
      padding_top: padding.0, padding_left: padding.1, kernel: Int32(kernel), stride: Int32(stride))
    let blocks = Blocks(Int(ck_block()))
    func blocked(_ images: Int, _ area: Int) -> (places: [Int], count: Int) {
      (blocks.images(images, channels, area), blocks.imageCount(images, channels, area))
    }
    sourceBlocks = blocked(batch, height * width)
    resultBlocks = blocked(batch, outHeight * outWidth)
    // A block of filters lies as a block of one image does.
    weightBlocks = blocked(1, kernel * kernel)
    var state: UInt32 = 3
    func values(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31
      }
    }
    source = values(batch * channels * height * width)
    weights = values(channels * kernel * kernel)
    bias = values(channels)
    diffResult = values(batch * channels * outHeight * outWidth)
    result = diffResult.map { _ in 0 }
    diffSource = source.map { _ in 0 }
    diffWeights = weights.map { _ in 0 }
    diffBias = bias.map { _ in 0 }
    for image in 0..<(batch * channels) {
      let channel = image % channels
      for place in 0..<(outHeight * outWidth) {
        let y = image * outHeight * outWidth + place
        var sum = Double(bias[channel])
        diffBias[channel] += Double(diffResult[y])
        for tap in 0..<(kernel * kernel) {
          let row = place / outWidth * stride + tap / kernel - padding.0
          let column = place % outWidth * stride + tap % kernel - padding.1
          guard row >= 0, row < height, column >= 0, column < width else { continue }
          let (x, w) = ((image * height + row) * width + column, channel * kernel * kernel + tap)
          sum += Double(source[x]) * Double(weights[w])
          diffSource[x] += Double(diffResult[y]) * Double(weights[w])
          diffWeights[w] += Double(diffResult[y]) * Double(source[x])
        }
        result[y] = max(sum, 0)
      }
    }
  }

  private func scattered(_ values: [Float], _ blocks: (places: [Int], count: Int)) -> [Float] {
    var result = [Float](repeating: 0, count: blocks.count)
    for (value, place) in zip(values, blocks.places) { result[place] = value }
    return result
  }

  /// Runs a pass in scratch memory that holds no numbers, so that nothing read from it before it is written goes unseen.
  func run(_ pass: ck_pass, parts: Int32) -> (output: [Float], diffBias: [Float]) {
    var shape = shape
    let scratchCount = ck_depthwise_scratch(&shape, pass, parts)
    var scratch = [Float](repeating: .nan, count: scratchCount + 64)
    for index in scratchCount..<scratch.count { scratch[index] = 7 }
    let counts = [
      CK_FORWARD: resultBlocks.count, CK_BACKWARD_DATA: sourceBlocks.count, CK_BACKWARD_WEIGHTS: weightBlocks.count,
    ]
    var output = [Float](repeating: .nan, count: counts[pass] ?? 0)
    var diffBias = [Float](repeating: .nan, count: shape.channels)
    let (x, w) = (scattered(source, sourceBlocks), scattered(weights, weightBlocks))
    let dy = scattered(diffResult, resultBlocks)
    x.withUnsafeBufferPointer { x in
      w.withUnsafeBufferPointer { w in
        dy.withUnsafeBufferPointer { dy in
          bias.withUnsafeBufferPointer { bias in
            output.withUnsafeMutableBufferPointer { output in
              diffBias.withUnsafeMutableBufferPointer { diffBias in
                scratch.withUnsafeMutableBufferPointer { scratch in
                  var job = ck_depthwise_job(
                    shape: shape, source: x.baseAddress, weights: w.baseAddress, bias: bias.baseAddress,
                    diff_result: dy.baseAddress, output: output.baseAddress, diff_bias: diffBias.baseAddress, relu: 1,
                    scratch: scratch.baseAddress)
                  ck_depthwise_run(&job, pass, nil, parts)
                }
              }
            }
          }
        }
      }
    }
    precondition(scratch[scratchCount...].allSatisfy { $0 == 7 }, "\(shape) writes beyond its scratch memory")
    return (output, diffBias)
  }

  /// What leaves the definition by more than its bound, differs between numbers of parts, or is not zero in the padding.
  func mismatches(parts: [Int32] = [1, 2, 3], disturbing: Bool = false) -> [String] {
    var wrong: [String] = []
    /// - Parameter terms: how many numbers of at most 1 are summed for an element.
    func compare(_ name: String, _ ours: [Float], _ places: [Int], _ reference: [Double], terms: Int) {
      // A sum may cancel, so its error is measured against what is summed.
      let bound = 1e-7 * Double(terms + 1)
      let error = zip(places, reference).map { abs(Double(ours[$0]) - $1) }.max() ?? 0
      if !(error + (disturbing ? 1 : 0) < bound) { wrong.append("\(name) is off by \(error): \(shape)") }
      let used = Set(places)
      if ours.indices.contains(where: { !used.contains($0) && ours[$0] != 0 }) {
        wrong.append("\(name) has padding that is not zero: \(shape)")
      }
    }
    let taps = Int(shape.kernel * shape.kernel)
    let terms = shape.batch * shape.out_height * shape.out_width
    for (pass, name, blocks, reference, terms) in [
      (CK_FORWARD, "y", resultBlocks, result, taps), (CK_BACKWARD_DATA, "dx", sourceBlocks, diffSource, taps),
      (CK_BACKWARD_WEIGHTS, "dw", weightBlocks, diffWeights, terms),
    ] {
      let runs = parts.map { run(pass, parts: $0) }
      compare(name, runs[0].output, blocks.places, reference, terms: terms)
      for (count, other) in zip(parts, runs) where other.output.map(\.bitPattern) != runs[0].output.map(\.bitPattern) {
        wrong.append("\(name) has other bits in \(count) parts: \(shape)")
      }
      if pass == CK_BACKWARD_WEIGHTS {
        compare("db", runs[0].diffBias, Array(diffBias.indices), diffBias, terms: terms)
      }
    }
    return wrong
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
      for padding in [(0, 0), (1, 1), (2, 0), (0, 2), (kernel - 1, kernel - 1)] {
        for height in [1, 2, 5, 8] {
          for width in [1, 2, 3, 7, 16, 21] {
            guard height + 2 * padding.0 >= kernel, width + 2 * padding.1 >= kernel else { continue }
            wrong += DepthwiseCase(
              batch: 1 + height % 3, channels: 1 + 9 * (width % 3), extents: (height, width), kernel: kernel,
              stride: stride, padding: padding
            ).mismatches()
          }
        }
      }
      wrong += DepthwiseCase(
        batch: 3, channels: 40, extents: (20, 19), kernel: kernel, stride: stride, padding: (1, 2)
      ).mismatches()
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
