import CKernels
import Engine
import Foundation
import Testing

/// Every operation in bfloat16 against the same in floats, on numbers that both have.
@Suite struct BFloat16Tests {
  @Test(arguments: OperationTests.differentiable)
  func staysWithinItsBound(_ example: OperationReferences.Case) throws {
    let wrong = try Self.excess(example)
    #expect(wrong.isEmpty, "\(wrong.joined(separator: "; "))")
  }

  // In processes of their own, because the library asks for its limit once.
  @Test func emulationStaysWithinTheBounds() async {
    await #expect(processExitsWith: .success) {
      setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1)
      ck_limit_instruction_set(CK_AVX2)
      #expect(!Precision.bf16.isNative)
      Self.expectNoExcess()
    }
  }

  @Test func baselineStaysWithinTheBounds() async {
    await #expect(processExitsWith: .success) {
      setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1)
      ck_limit_instruction_set(CK_BASELINE)
      Self.expectNoExcess()
    }
  }

  @Test func theComparisonSeesAnError() throws {
    let example = try #require(OperationTests.differentiable.first { $0.operation == "convolution" })
    #expect(try !Self.excess(example, disturbing: true).isEmpty)
  }

  /// Parts of the largest element by which results and gradients of inputs may be off. A stored number has eight bits, so
  /// rounding once takes 2⁻⁹ at most; Winograd's transforms cost three bits, and a fourth where a tile is mostly margin.
  private static func bound(_ operation: String) -> Float {
    switch operation {
    case "relu", "relu6", "concatenate", "sliceChannels", "padChannels", "shuffleChannels", "flatten": 0
    case "add", "maxPool", "averagePool", "globalAveragePool": 0x1p-8
    case "batchNorm", "innerProduct": 0x1p-7
    case "convolution": 0x1p-4
    // Two convolutions and two normalisations, after which a ReLU may open elsewhere.
    case "residualBlock": 0x1p-3
    default: 0
    }
  }

  /// What is off by more than its bound.
  private static func excess(_ example: OperationReferences.Case, disturbing: Bool) throws -> [String] {
    let references = try OperationReferences()
    let (exact, inputs, parameters, seed) = try OperationTests.prepared(example, references)
    let (rounded, _, _, _) = try OperationTests.prepared(example, references, .bf16)
    let (kept, keptSeed) = (inputs.map(Self.kept), Self.kept(seed))
    let expected = try exact.run(inputs: kept, parameters: parameters, outputGradient: keptSeed)
    let result = try rounded.run(inputs: kept, parameters: parameters, outputGradient: keptSeed)
    var wrong: [String] = []
    func compare(_ what: String, _ values: [Float]?, _ reference: [Float]?, _ bound: Float) {
      guard let values, let reference, values.count == reference.count else {
        wrong.append("\(example.name): \(what) is missing")
        return
      }
      let scale = reference.map(abs).max() ?? 0
      let error = zip(values, reference).map { abs($0 - $1) }.max() ?? 0
      let isFinite = values.allSatisfy(\.isFinite)
      if !(isFinite && error + (disturbing ? scale : 0) <= bound * scale + 1e-6) {
        wrong.append("\(example.name): \(what) is off by \(error) of \(scale)")
      }
    }
    let bound = bound(example.operation)
    compare("output", result.output, expected.output, bound)
    for index in inputs.indices {
      compare("gradient of input \(index)", result.inputGradients[index], expected.inputGradients[index], bound)
    }
    for (name, gradient) in expected.parameterGradients {
      compare("gradient of \(name)", result.parameterGradients[name], gradient, max(bound, 0x1p-8))
    }
    return wrong
  }

  private static func excess(_ example: OperationReferences.Case) throws -> [String] {
    try excess(example, disturbing: false)
  }

  private static func expectNoExcess() {
    do {
      let wrong = try OperationTests.differentiable.flatMap(excess)
      #expect(wrong == [])
    } catch {
      Issue.record(error)
    }
  }

  private static func kept(_ values: [Float]) -> [Float] {
    var rounded = [UInt16](repeating: 0, count: values.count)
    ck_round_to_bfloat16(values, &rounded, values.count)
    var result = values
    ck_widen_bfloat16(rounded, &result, values.count)
    return result
  }
}
