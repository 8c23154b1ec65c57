import CKernels
import Foundation
import Testing

/// Blocked inner products against the definition, under every instruction set.
@Suite struct InnerProductTests {
  // In processes of their own, because the limit is one for the whole process and other tests run beside these.
  @Test func baselineAgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { InnerProductCase.expectNoMismatch(CK_BASELINE) }
  }

  @Test func avx2AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { InnerProductCase.expectNoMismatch(CK_AVX2) }
  }

  @Test func avx512AgreesWithTheDefinition() async {
    await #expect(processExitsWith: .success) { InnerProductCase.expectNoMismatch(CK_AVX512) }
  }

  @Test func bfloat16WithoutItsInstructionsGivesTheSameBits() async {
    await #expect(processExitsWith: .success) {
      let cases = [(7, 100, 31), (33, 600, 40), (70, 17, 300)].map {
        InnerProductCase(samples: $0.0, inputs: $0.1, outputs: $0.2, in: CK_IN_BFLOAT16)
      }
      let same = expectTheSameBitsWithoutDots {
        cases.flatMap { example in
          [CK_FORWARD, CK_BACKWARD_DATA, CK_BACKWARD_WEIGHTS].map { example.run($0, parts: 1).output }
        }
      }
      #expect(same)
    }
  }

  @Test func theComparisonSeesADifference() {
    #expect(InnerProductCase(samples: 2, inputs: 5, outputs: 3).mismatches(parts: [1], disturbing: true).count == 4)
  }

  /// What a sample gets must not depend on the others, or evaluation would depend on its blocks.
  @Test func aSampleStandsAlone() {
    let all = InnerProductCase(samples: 21, inputs: 300, outputs: 40)
    for count in [1, 2, 7, 16, 17] {
      let some = InnerProductCase(samples: count, inputs: 300, outputs: 40)
      #expect(some.run(CK_FORWARD, parts: 1).output == Array(all.run(CK_FORWARD, parts: 1).output.prefix(40 * count)))
      #expect(
        some.run(CK_BACKWARD_DATA, parts: 1).output
          == Array(all.run(CK_BACKWARD_DATA, parts: 1).output.prefix(300 * count)))
    }
  }
}

/// One shape with its numbers and what the definition makes of them.
struct InnerProductCase {
  private var shape: ck_inner_product
  private let weightPlaces: [Int]
  private let source: [Float]
  private let weights: [Float]
  private let bias: [Float]
  private let diffResult: [Float]
  private var result: [Double]
  private var diffSource: [Double]
  private var diffWeights: [Double]
  private var diffBias: [Double]

  /// - Parameter floatResults: whether forward results are floats in any storage.
  init(
    samples: Int, inputs: Int, outputs: Int, in storage: ck_storage = CK_IN_FLOAT32, floatResults: Bool = false
  ) {
    shape = ck_inner_product(
      samples: samples, inputs: inputs, outputs: outputs, storage: storage,
      result_storage: floatResults ? CK_IN_FLOAT32 : storage)
    func values(_ seed: UInt32, _ count: Int) -> [Float] {
      var state = seed
      return (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) * 0x1p-31
      }
    }
    (source, bias) = (StoredImage.kept(values(1, samples * inputs), storage), values(3, outputs))
    diffResult = StoredImage.kept(values(5, samples * outputs), storage)
    let standard = values(7, outputs * inputs)
    let blocks = Blocks(Int(ck_block()))
    weightPlaces = blocks.weights(outputs, inputs, 1)
    var weights = [Float](repeating: 0, count: blocks.weightCount(outputs, inputs, 1))
    for (value, place) in zip(standard, weightPlaces) { weights[place] = value }
    self.weights = weights
    result = [Double](repeating: 0, count: diffResult.count)
    diffSource = [Double](repeating: 0, count: source.count)
    diffWeights = [Double](repeating: 0, count: standard.count)
    diffBias = [Double](repeating: 0, count: outputs)
    for n in 0..<samples {
      for o in 0..<outputs {
        let dy = Double(diffResult[n * outputs + o])
        var sum = Double(bias[o])
        for i in 0..<inputs {
          sum += Double(source[n * inputs + i]) * Double(standard[o * inputs + i])
          diffSource[n * inputs + i] += dy * Double(standard[o * inputs + i])
          diffWeights[o * inputs + i] += dy * Double(source[n * inputs + i])
        }
        diffBias[o] += dy
        result[n * outputs + o] = max(sum, 0)
      }
    }
  }

  /// Runs a pass in scratch memory that holds no numbers, so that nothing read from it before it is written goes unseen.
  func run(_ pass: ck_pass, parts: Int32) -> (output: [Float], diffBias: [Float]) {
    var shape = shape
    let scratchCount = ck_inner_product_scratch(&shape, pass, parts)
    var scratch = [Float](repeating: .nan, count: scratchCount + 64)
    for index in scratchCount..<scratch.count { scratch[index] = 7 }
    let counts = [
      CK_FORWARD: diffResult.count, CK_BACKWARD_DATA: source.count, CK_BACKWARD_WEIGHTS: weights.count,
    ]
    let images = (StoredImage(source, shape.storage), StoredImage(diffResult, shape.storage))
    let kinds = [
      CK_FORWARD: shape.result_storage, CK_BACKWARD_DATA: shape.storage, CK_BACKWARD_WEIGHTS: CK_IN_FLOAT32,
    ]
    let output = StoredImage(count: counts[pass] ?? 0, kinds[pass] ?? CK_IN_FLOAT32)
    var diffBias = [Float](repeating: .nan, count: bias.count)
    weights.withUnsafeBufferPointer { weights in
      bias.withUnsafeBufferPointer { bias in
        diffBias.withUnsafeMutableBufferPointer { diffBias in
          scratch.withUnsafeMutableBufferPointer { scratch in
            var job = ck_inner_product_job(
              shape: shape, source: images.0.memory, diff_result: images.1.memory, weights: weights.baseAddress,
              bias: bias.baseAddress, output: output.memory, diff_bias: diffBias.baseAddress, relu: 1,
              scratch: scratch.baseAddress)
            ck_inner_product_run(&job, pass, nil, parts)
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
    /// - Parameter terms: how many numbers of at most 1 are summed for an element.
    func compare(
      _ name: String, _ ours: [Float], _ places: [Int], _ reference: [Double], terms: Int, rounds: Bool = false
    ) {
      // A sum may cancel, so its error is measured against what is summed: rounding adds it up in full at worst, that of
      // weights to bfloat16 as the root of so many terms.
      let bound = rounds ? 0x1p-7 * (Double(terms).squareRoot() + 1) : 2e-7 * Double(terms + 1)
      let error = zip(places, reference).map { abs(Double(ours[$0]) - $1) }.max() ?? 0
      if !(error + (disturbing ? 1 : 0) < bound) { wrong.append("\(name) is off by \(error): \(shape)") }
      let used = Set(places)
      if ours.indices.contains(where: { !used.contains($0) && ours[$0] != 0 }) {
        wrong.append("\(name) has padding that is not zero: \(shape)")
      }
    }
    for (pass, name, places, reference, terms) in [
      (CK_FORWARD, "y", Array(result.indices), result, shape.inputs),
      (CK_BACKWARD_DATA, "dx", Array(diffSource.indices), diffSource, shape.outputs),
      (CK_BACKWARD_WEIGHTS, "dw", weightPlaces, diffWeights, shape.samples),
    ] {
      let runs = parts.map { run(pass, parts: $0) }
      compare(
        name, runs[0].output, places, reference, terms: terms,
        rounds: shape.storage == CK_IN_BFLOAT16 && pass != CK_BACKWARD_WEIGHTS)
      for (count, other) in zip(parts, runs) where other.output.map(\.bitPattern) != runs[0].output.map(\.bitPattern) {
        wrong.append("\(name) has other bits in \(count) parts: \(shape)")
      }
      if pass == CK_BACKWARD_WEIGHTS {
        compare("db", runs[0].diffBias, Array(diffBias.indices), diffBias, terms: shape.samples)
      }
    }
    return wrong
  }

  static func expectNoMismatch(_ set: ck_instruction_set) {
    ck_limit_instruction_set(set)
    var wrong: [String] = []
    for samples in [1, 2, 7, 16, 33, 70] {
      for inputs in [1, 5, 16, 17, 100, 600] {
        for outputs in [1, 10, 16, 31, 40, 300] {
          for storage in [CK_IN_FLOAT32, CK_IN_BFLOAT16] {
            let example = InnerProductCase(
              samples: samples, inputs: inputs, outputs: outputs, in: storage, floatResults: outputs == 10)
            wrong += example.mismatches()
          }
        }
      }
    }
    for line in wrong.prefix(20) { print(line) }
    #expect(wrong.isEmpty)
  }
}
