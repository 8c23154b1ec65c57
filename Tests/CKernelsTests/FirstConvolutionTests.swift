import CKernels
import Testing

/// Gradients of weights over images with few channels against the definition, under every instruction set.
@Suite struct FirstConvolutionTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineAgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { FirstConvolutionCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { FirstConvolutionCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { FirstConvolutionCase.expectNoMismatch(CK_AVX512) }
  }

  @Test func theComparisonSeesADifference() {
    let example = FirstConvolutionCase(channels: 3, extents: (6, 5), filters: 9, kernel: 3, stride: 2, padding: (1, 1))
    #expect(example.mismatches(disturbing: true).count == 2)
  }
}

/// One shape with its numbers and what the definition makes of them, row-major.
struct FirstConvolutionCase {
  private let shape: ck_first_convolution
  private let resultPlaces, weightPlaces: [Int]
  private let resultCount, weightCount: Int
  private let source, diffResult: [Float]
  private var diffWeights, diffBias: [Double]

  init(channels: Int, extents: (Int, Int), filters: Int, kernel: Int, stride: Int, padding: (Int, Int)) {
    let (batch, height, width) = (2, extents.0, extents.1)
    let outHeight = (height + 2 * padding.0 - kernel) / stride + 1
    let outWidth = (width + 2 * padding.1 - kernel) / stride + 1
    shape = ck_first_convolution(
      batch: batch, channels: channels, height: height, width: width, filters: filters, out_height: outHeight,
      out_width: outWidth, padding_top: padding.0, padding_left: padding.1, kernel: Int32(kernel),
      stride: Int32(stride))
    let block = Int(ck_block())
    let blocks = Blocks(block)
    resultPlaces = blocks.images(batch, filters, outHeight * outWidth)
    resultCount = blocks.imageCount(batch, filters, outHeight * outWidth)
    let taps = kernel * kernel
    weightPlaces = (0..<(filters * channels * taps)).map { index in
      let (tap, channel, filter) = (index % taps, index / taps % channels, index / taps / channels)
      return ((filter / block * taps + tap) * channels + channel) * block + filter % block
    }
    weightCount = (filters + block - 1) / block * block * channels * taps
    var state: UInt32 = 11
    func values(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31
      }
    }
    source = values(batch * channels * height * width)
    diffResult = values(batch * filters * outHeight * outWidth)
    diffWeights = [Double](repeating: 0, count: weightPlaces.count)
    diffBias = [Double](repeating: 0, count: filters)
    for index in diffResult.indices {
      let place = index % (outHeight * outWidth)
      let (filter, image) = (index / (outHeight * outWidth) % filters, index / (outHeight * outWidth) / filters)
      diffBias[filter] += Double(diffResult[index])
      for channel in 0..<channels {
        for tap in 0..<taps {
          let row = place / outWidth * stride + tap / kernel - padding.0
          let column = place % outWidth * stride + tap % kernel - padding.1
          guard row >= 0, row < height, column >= 0, column < width else { continue }
          let x = ((image * channels + channel) * height + row) * width + column
          diffWeights[(filter * channels + channel) * taps + tap] += Double(diffResult[index]) * Double(source[x])
        }
      }
    }
  }

  /// Runs in scratch memory that holds no numbers, so that nothing read from it before it is written goes unseen.
  private func run(parts: Int32) -> (diffWeights: [Float], diffBias: [Float]) {
    let scratchCount = withUnsafePointer(to: shape) { ck_first_convolution_scratch($0, parts) }
    var scratch = [Float](repeating: .nan, count: scratchCount + 64)
    for index in scratchCount..<scratch.count { scratch[index] = 7 }
    var dy = [Float](repeating: 0, count: resultCount)
    for (value, place) in zip(diffResult, resultPlaces) { dy[place] = value }
    var diffWeights = [Float](repeating: .nan, count: weightCount)
    var diffBias = [Float](repeating: .nan, count: shape.filters)
    source.withUnsafeBufferPointer { source in
      dy.withUnsafeBufferPointer { dy in
        diffWeights.withUnsafeMutableBufferPointer { diffWeights in
          diffBias.withUnsafeMutableBufferPointer { diffBias in
            scratch.withUnsafeMutableBufferPointer { scratch in
              var job = ck_first_convolution_job(
                shape: shape, source: source.baseAddress, diff_result: dy.baseAddress,
                diff_weights: diffWeights.baseAddress, diff_bias: diffBias.baseAddress, scratch: scratch.baseAddress)
              ck_first_convolution_weights(&job, nil, parts)
            }
          }
        }
      }
    }
    precondition(scratch[scratchCount...].allSatisfy { $0 == 7 }, "\(shape) writes beyond its scratch memory")
    return (diffWeights, diffBias)
  }

  /// What leaves the definition by more than its bound, differs between numbers of parts, or is not zero in the padding.
  func mismatches(disturbing: Bool = false) -> [String] {
    var wrong: [String] = []
    let runs = [1, 2, 3].map { run(parts: $0) }
    // A sum may cancel, so its error is measured against what is summed.
    let bound = 1e-7 * Double(shape.batch * shape.out_height * shape.out_width + 1)
    func compare(_ name: String, _ ours: [Float], _ reference: [Double]) {
      let error = zip(ours, reference).map { abs(Double($0) - $1) }.max() ?? 0
      if !(error + (disturbing ? 1 : 0) < bound) { wrong.append("\(name) is off by \(error): \(shape)") }
    }
    compare("dw", weightPlaces.map { runs[0].diffWeights[$0] }, diffWeights)
    compare("db", runs[0].diffBias, diffBias)
    let used = Set(weightPlaces)
    if runs[0].diffWeights.indices.contains(where: { !used.contains($0) && runs[0].diffWeights[$0] != 0 }) {
      wrong.append("dw has padding that is not zero: \(shape)")
    }
    for other in runs[1...] where other != runs[0] { wrong.append("other bits in other parts: \(shape)") }
    return wrong
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    for kernel in [3, 5] {
      for stride in [1, 2, 3] {
        for padding in [(0, 0), (1, 2), (kernel - 1, 1)] {
          for extents in [(1, 1), (5, 8), (9, 4), (20, 33)] {
            guard extents.0 + 2 * padding.0 >= kernel, extents.1 + 2 * padding.1 >= kernel else { continue }
            for (channels, filters) in [(1, 6), (3, 32), (4, 41)] {
              wrong += FirstConvolutionCase(
                channels: channels, extents: extents, filters: filters, kernel: kernel, stride: stride,
                padding: padding
              ).mismatches()
            }
          }
        }
      }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
