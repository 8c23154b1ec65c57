import CKernels
import Foundation
import Testing

/// Winograd's convolutions against the definition, under every instruction set.
@Suite struct WinogradTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineAgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { WinogradCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { WinogradCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { WinogradCase.expectNoMismatch(CK_AVX512) }
  }

  @Test func bfloat16WithoutItsInstructionsGivesTheSameBits() async {
    await #expect(processExitsWith: .success) {
      let cases = WinogradCase.shapes.map { WinogradCase($0, in: CK_IN_BFLOAT16) }
      let same = expectTheSameBitsWithoutDots {
        cases.flatMap { example in
          [CK_FORWARD, CK_BACKWARD_DATA, CK_BACKWARD_WEIGHTS].map { example.run($0, parts: 1).output }
        }
      }
      #expect(same)
    }
  }

  @Test func theComparisonSeesADifference() {
    let shape = WinogradCase.square(batch: 1, channels: 3, extent: 6, filters: 5, padding: 1, kernel: 3)
    #expect(WinogradCase(shape).mismatches(parts: [1], disturbing: true).count == 4)
  }

  /// A vanished gradient or a diverged loss must not be hidden by the ReLU.
  @Test func whatIsNotANumberStaysSo() {
    let shape = WinogradCase.square(batch: 1, channels: 3, extent: 6, filters: 5, padding: 1, kernel: 3)
    var example = WinogradCase(shape)
    example.source[0] = .nan
    #expect(example.run(CK_FORWARD, parts: 1).output.contains { $0.isNaN })
  }
}

/// One shape with its numbers in blocks.
struct WinogradCase {
  let twin: ConvolutionTwin
  private let blocks = Blocks(Int(ck_block()))
  private let sourcePlaces: [Int]
  private let resultPlaces: [Int]
  private let weightPlaces: [Int]
  var source: [Float]
  private let weights: [Float]
  private let diffResult: [Float]

  static func square(
    batch: Int, channels: Int, extent: Int, filters: Int, padding: Int, kernel: Int
  ) -> ck_winograd {
    shape(batch, channels, extent, extent, filters, padding, kernel)
  }

  static func shape(
    _ batch: Int, _ channels: Int, _ height: Int, _ width: Int, _ filters: Int, _ padding: Int, _ kernel: Int
  ) -> ck_winograd {
    ck_winograd(
      batch: batch, channels: channels, height: height, width: width, filters: filters,
      out_height: height + 2 * padding - kernel + 1, out_width: width + 2 * padding - kernel + 1, padding_top: padding,
      padding_left: padding, kernel: Int32(kernel), storage: CK_IN_FLOAT32)
  }

  /// Every padding and kernel over small, odd and ragged extents; channels around the width of a block; more tiles than
  /// fit into one block of tiles, and fewer.
  static let shapes: [ck_winograd] = {
    var shapes: [ck_winograd] = []
    for kernel in [3, 5] {
      for padding in 0..<kernel {
        for height in [1, 4, 5, 9] {
          for width in [2, 7, 12] where min(height, width) + 2 * padding >= kernel {
            shapes.append(shape(1 + height % 2, 5 + 7 * (width % 3), height, width, 19, padding, kernel))
          }
        }
      }
    }
    for channels in [1, 16, 33] {
      for filters in [1, 24, 49] { shapes.append(shape(2, channels, 8, 8, filters, 1, 3)) }
    }
    return shapes + [shape(16, 24, 20, 20, 40, 1, 3), shape(3, 40, 12, 20, 24, 2, 5)]
  }()

  init(_ shape: ck_winograd, in storage: ck_storage = CK_IN_FLOAT32) {
    var shape = shape
    shape.storage = storage
    twin = ConvolutionTwin(shape, seed: 7)
    sourcePlaces = blocks.images(shape.batch, shape.channels, shape.height * shape.width)
    resultPlaces = blocks.images(shape.batch, shape.filters, shape.out_height * shape.out_width)
    weightPlaces = blocks.weights(shape.filters, shape.channels, Int(shape.kernel * shape.kernel))
    func scattered(_ values: [Float], _ places: [Int], _ count: Int) -> [Float] {
      var result = [Float](repeating: 0, count: count)
      for (value, place) in zip(values, places) { result[place] = value }
      return result
    }
    source = scattered(
      twin.source, sourcePlaces, blocks.imageCount(shape.batch, shape.channels, shape.height * shape.width))
    weights = scattered(
      twin.weights, weightPlaces, blocks.weightCount(shape.filters, shape.channels, Int(shape.kernel * shape.kernel)))
    diffResult = scattered(
      twin.diffResult, resultPlaces,
      blocks.imageCount(shape.batch, shape.filters, shape.out_height * shape.out_width))
  }

  /// Runs a pass in scratch memory that holds no numbers, so that nothing read from it before it is written goes unseen.
  func run(_ pass: ck_pass, parts: Int32) -> (output: [Float], diffBias: [Float]) {
    var shape = twin.shape
    let scratchCount = ck_winograd_scratch(&shape, pass, parts)
    var scratch = [Float](repeating: .nan, count: scratchCount + 64)
    for index in scratchCount..<scratch.count { scratch[index] = 7 }
    let counts = [
      CK_FORWARD: diffResult.count, CK_BACKWARD_DATA: source.count, CK_BACKWARD_WEIGHTS: weights.count,
    ]
    let images = (StoredImage(source, shape.storage), StoredImage(diffResult, shape.storage))
    let output = StoredImage(count: counts[pass] ?? 0, pass == CK_BACKWARD_WEIGHTS ? CK_IN_FLOAT32 : shape.storage)
    var diffBias = [Float](repeating: .nan, count: shape.filters)
    weights.withUnsafeBufferPointer { weights in
      twin.bias.withUnsafeBufferPointer { bias in
        diffBias.withUnsafeMutableBufferPointer { diffBias in
          scratch.withUnsafeMutableBufferPointer { scratch in
            var job = ck_winograd_job(
              shape: shape, source: images.0.memory, weights: weights.baseAddress, bias: bias.baseAddress,
              diff_result: images.1.memory, output: output.memory, diff_bias: diffBias.baseAddress, relu: 1,
              scratch: scratch.baseAddress)
            ck_winograd_run(&job, pass, nil, parts)
          }
        }
      }
    }
    let result = output.values
    precondition(scratch[scratchCount...].allSatisfy { $0 == 7 }, "\(shape) writes beyond its scratch memory")
    return (result, diffBias)
  }

  /// What leaves the definition by more than its bound, differs between numbers of parts, or is not zero in the padding.
  func mismatches(parts: [Int32] = [1, 2, 3], disturbing: Bool = false) -> [String] {
    var wrong: [String] = []
    func compare(_ name: String, _ ours: [Float], _ places: [Int], _ reference: [Double]) {
      var reference = reference
      if disturbing { reference[reference.count / 2] += 0.01 * Double(reference.count).squareRoot() }
      let difference = zip(places, reference).reduce(0.0) { $0 + pow(Double(ours[$1.0]) - $1.1, 2) }
      let size = reference.reduce(0.0) { $0 + $1 * $1 }
      let error = (difference / max(size, 1e-30)).squareRoot()
      // Tiles and weights are rounded after their transforms, which costs three bits of the eight, and a fourth where a
      // tile is mostly margin.
      if !(error < (twin.shape.storage == CK_IN_BFLOAT16 ? 0.04 : 2e-6)) {
        wrong.append("\(name) is off by \(error): \(twin.shape)")
      }
      let used = Set(places)
      if ours.indices.contains(where: { !used.contains($0) && ours[$0] != 0 }) {
        wrong.append("\(name) has padding that is not zero: \(twin.shape)")
      }
    }
    for (pass, name, places, reference) in [
      (CK_FORWARD, "y", resultPlaces, twin.result), (CK_BACKWARD_DATA, "dx", sourcePlaces, twin.diffSource),
      (CK_BACKWARD_WEIGHTS, "dw", weightPlaces, twin.diffWeights),
    ] {
      let runs = parts.map { run(pass, parts: $0) }
      compare(name, runs[0].output, places, reference)
      for (count, other) in zip(parts, runs) where other.output.map(\.bitPattern) != runs[0].output.map(\.bitPattern) {
        wrong.append("\(name) has other bits in \(count) parts: \(twin.shape)")
      }
      if pass == CK_BACKWARD_WEIGHTS {
        // A sum may cancel, so its error is measured against what is summed.
        let bound = 1e-6 * Double(twin.diffResult.count)
        let off = zip(runs[0].diffBias, twin.diffBias).contains { !(abs(Double($0) - $1) <= bound) }
        if off || disturbing { wrong.append("the gradient of the bias is off: \(twin.shape)") }
      }
    }
    return wrong
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    let wrong = shapes.flatMap { shape in
      [CK_IN_FLOAT32, CK_IN_BFLOAT16].flatMap { WinogradCase(shape, in: $0).mismatches() }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
