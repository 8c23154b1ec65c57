import CKernels
import Engine
import Foundation
import Networks
import Testing

/// Every operation against PyTorch's numbers and against finite differences.
@Suite struct OperationTests {
  static let differentiable = OperationReferences.cases.filter {
    $0.operation != "softmaxCrossEntropy" && $0.operation != "smallNetwork" && $0.attributes.training != false
  }

  @Test(arguments: differentiable) func agreesWithPyTorch(_ example: OperationReferences.Case) throws {
    let references = try OperationReferences()
    let (run, inputs, parameters, seed) = try Self.prepared(example, references)
    let result = try run.run(inputs: inputs, parameters: parameters, outputGradient: seed)
    expectClose(result.output, try references.values(example.output), "output")
    for (index, name) in (example.inputGradients ?? []).enumerated() {
      let gradient = try #require(result.inputGradients[index])
      expectClose(gradient, try references.values(name), "gradient of input \(index)")
    }
    for (name, reference) in example.parameterGradients ?? [:] {
      let gradient = try #require(result.parameterGradients[Self.layerName(name, example)])
      expectClose(gradient, try references.values(reference), "gradient of \(name)")
    }
    for (name, reference) in example.stateAfter ?? [:] {
      let before = try references.values(try #require(example.state?[name]))
      let batch = try #require(result.parameterGradients[Self.layerName(name, example)])
      expectClose(zip(before, batch).map { 0.9 * $0 + 0.1 * $1 }, try references.values(reference), name)
    }
  }

  @Test(arguments: differentiable) func agreesWithFiniteDifferences(_ example: OperationReferences.Case) throws {
    let references = try OperationReferences()
    var (run, inputs, parameters, seed) = try Self.prepared(example, references)
    if ["relu", "maxPool"].contains(example.operation) {
      // PyTorch's cases have zeros and ties on purpose; a derivative exists only off the kinks, so all values differ.
      inputs = inputs.map { values in
        values.indices.map { (Float(($0 * 7919) % values.count) - Float(values.count / 2) + 0.5) / 64 }
      }
    } else if example.operation == "relu6" {
      // On both sides of both kinks.
      inputs = inputs.map { values in values.indices.map { Float($0 * 7919 % 97) / 8 - 2.03 } }
    }
    let names = parameters.keys.filter { !$0.hasSuffix("running_mean") && !$0.hasSuffix("running_var") }.sorted()
    var generator = SystemRandomNumberGeneratorWithSeed(7)
    func direction(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &generator) } }
    let inputDirections = inputs.map { direction($0.count) }
    let parameterDirections = names.map { direction(parameters[$0]?.count ?? 0) }

    let result = try run.run(inputs: inputs, parameters: parameters, outputGradient: seed)
    var analytic = 0.0
    var scale = 1e-3
    func add(_ gradient: [Float], _ direction: [Float]) {
      for (g, d) in zip(gradient, direction) {
        analytic += Double(g) * Double(d)
        scale += abs(Double(g) * Double(d))
      }
    }
    for (index, direction) in inputDirections.enumerated() {
      add(try #require(result.inputGradients[index]), direction)
    }
    for (name, direction) in zip(names, parameterDirections) {
      add(try #require(result.parameterGradients[name]), direction)
    }

    func objective(_ step: Float) throws -> Double {
      let moved = zip(inputs, inputDirections).map { zip($0, $1).map { $0 + step * $1 } }
      var movedParameters = parameters
      for (name, direction) in zip(names, parameterDirections) {
        movedParameters[name] = zip(parameters[name] ?? [], direction).map { $0 + step * $1 }
      }
      let output = try run.run(inputs: moved, parameters: movedParameters, outputGradient: seed).output
      return zip(output, seed).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let step: Float = 1 / 512
    let numeric = (try objective(step) - objective(-step)) / Double(2 * step)
    // Sums of products of 32-bit floats: 1 % of the terms' absolute sum; 3 % where some ReLUs inside change sides.
    let tolerance = example.operation == "residualBlock" ? 0.03 : 0.01
    #expect(abs(numeric - analytic) <= tolerance * scale, "finite differences \(numeric), gradient \(analytic)")
  }

  /// The cases are of no use for kernels that none of them takes.
  @Test func ownKernelsAreAmongTheCases() throws {
    let references = try OperationReferences()
    let lines = try Self.differentiable.filter { ["convolution", "innerProduct"].contains($0.operation) }
      .flatMap { try Self.prepared($0, references).0.planText }
    for operation in ["convolution", "backward data", "backward weights"] {
      for kernel in ["winograd F(4×4, 3×3)", "winograd F(2×2, 5×5)"] {
        let count = lines.count { $0.hasPrefix(operation + " ") && $0.contains(kernel) }
        #expect(count >= 3, "\(operation): \(count) cases of \(kernel)")
      }
    }
    #expect(lines.contains { $0.hasPrefix("inner product ") && $0.contains(" own ") })
  }

  /// Kernels apply a ReLU that alone reads their result; odd channel counts leave a partly filled block.
  @Test(arguments: OperationReferences.cases.filter { ["convolution", "innerProduct"].contains($0.operation) })
  func reluBehindAProductIsApplied(_ example: OperationReferences.Case) throws {
    let references = try OperationReferences()
    let (_, inputs, parameters, seed) = try Self.prepared(example, references)
    let run = try OperationRun(inputs: example.inputs.map(references.shape)) {
      Self.traced($0, example, references).relu()
    }
    let result = try run.run(inputs: inputs, parameters: parameters, outputGradient: seed)
    expectClose(result.output, try references.values(example.output).map { max($0, 0) }, "output")
  }

  @Test(arguments: OperationReferences.cases.filter { $0.operation == "smallNetwork" })
  func wholeNetworkAgreesWithPyTorch(_ example: OperationReferences.Case) throws {
    let references = try OperationReferences()
    let shape = references.shape(example.inputs[0])
    let labels = try #require(example.attributes.labels).map(Int32.init)
    let (channels, classes) = (example.attributes.outputChannels ?? 0, example.attributes.classes ?? 0)
    let network = Network(name: "small", input: .init(shape[1], shape[2], shape[3]), classes: classes) { images in
      images.convolution("conv1", outputs: channels, .init(3, padding: 1)).relu().maxPool(.init(2, stride: 2))
        .flatten().innerProduct("fc1", outputs: classes)
    }
    var configuration = Executor.Configuration(network: network, trainingBatchSizes: [shape[0]])
    configuration.labelSmoothing = example.attributes.smoothing ?? 0
    let executor = try Executor(configuration)
    let layout = executor.parameterLayout
    let (vector, gradients) = (try FloatBuffer(count: layout.count), try FloatBuffer(count: layout.count))
    for entry in layout.entries {
      let values = try references.values(try #require(example.parameters?[entry.parameter.name]))
      try layout.setStandardValues(values, of: entry, in: vector.pointer)
    }
    let images = try references.values(example.inputs[0])
    let count = try #require(example.attributes.globalCount)
    let sums = try images.withUnsafeBufferPointer { images in
      try labels.withUnsafeBufferPointer { labels in
        try labels.map { UInt32($0) }.withUnsafeBufferPointer { ids in
          try executor.computeGradients(
            parameters: vector.pointer,
            [
              Executor.ShardWork(
                images: try #require(images.baseAddress), labels: try #require(labels.baseAddress),
                sampleIDs: try #require(ids.baseAddress), batches: [shape[0]], gradients: gradients.pointer,
                globalBatch: count, epoch: 0, step: 0)
            ])
        }
      }
    }
    expectClose([Float(sums[0].loss / Double(count))], try references.values(example.output), "loss")
    for entry in layout.entries {
      let expected = try references.values(try #require(example.parameterGradients?[entry.parameter.name]))
      expectClose(try layout.standardValues(of: entry, in: gradients.pointer), expected, entry.parameter.name)
    }
  }

  @Test func inferenceBatchNormUsesRunningStatistics() throws {
    let references = try OperationReferences()
    let cases = OperationReferences.cases.filter { $0.operation == "batchNorm" && $0.attributes.training == false }
    #expect(!cases.isEmpty)
    for example in cases {
      let shape = references.shape(example.inputs[0])
      let extents = Network.ImageExtents(shape[1], shape[2], shape[3])
      // Evaluation ends with logits, so the images are flattened into them.
      let network = Network(name: "bn", input: extents, classes: extents.count) { $0.batchNorm("bn").flatten() }
      var configuration = Executor.Configuration(network: network, trainingBatchSizes: [shape[0]])
      configuration.evaluationBatchSizes = [shape[0]]
      let executor = try Executor(configuration)
      let layout = executor.parameterLayout
      let vector = try FloatBuffer(count: layout.count)
      for entry in layout.entries {
        let name = entry.parameter.name.replacingOccurrences(of: "bn.", with: "")
        let reference = try #require(example.parameters?[name] ?? example.state?[name])
        try layout.setStandardValues(references.values(reference), of: entry, in: vector.pointer)
      }
      let images = try references.values(example.inputs[0])
      let expected = try references.values(example.output)
      let sums = try executor.evaluate(parameters: vector.pointer, blocks: [0..<shape[0]]) { _, into, labels in
        for (index, value) in images.enumerated() { into[index] = value }
        for sample in 0..<shape[0] { labels[sample] = Int32(sample % extents.count) }
      }
      let labels = (0..<shape[0]).map { Int32($0 % extents.count) }
      let wanted = ck_softmax_cross_entropy(expected, labels, shape[0], extents.count, 0, 0, nil)
      #expect(abs(sums[0].loss - wanted.loss) <= 1e-5 * max(1, abs(wanted.loss)))
      #expect(sums[0].correct == wanted.correct)
    }
  }

  @Test(arguments: OperationReferences.cases.filter { $0.operation == "softmaxCrossEntropy" })
  func lossAgreesWithPyTorch(_ example: OperationReferences.Case) throws {
    let references = try OperationReferences()
    let logits = try references.values(example.inputs[0])
    let labels = try #require(example.attributes.labels).map(Int32.init)
    let classes = try #require(example.attributes.classes)
    let count = Double(try #require(example.attributes.globalCount))
    var gradient = [Float](repeating: .nan, count: logits.count)
    let sums = ck_softmax_cross_entropy(
      logits, labels, labels.count, classes, Double(example.attributes.smoothing ?? 0), 1 / count, &gradient)
    expectClose([Float(sums.loss / count)], try references.values(example.output), "loss")
    expectClose(gradient, try references.values(try #require(example.inputGradients)[0]), "gradient of the logits")
  }

  // MARK: from a case to a traced function

  static func layerName(_ parameter: String, _ example: OperationReferences.Case) -> String {
    example.operation == "residualBlock" ? parameter : "layer." + parameter
  }

  static func prepared(
    _ example: OperationReferences.Case, _ references: OperationReferences, _ precision: Precision = .float32
  ) throws -> (OperationRun, inputs: [[Float]], parameters: [String: [Float]], seed: [Float]) {
    let run = try OperationRun(inputs: example.inputs.map(references.shape), precision) {
      traced($0, example, references)
    }
    var parameters: [String: [Float]] = [:]
    for (name, tensor) in (example.parameters ?? [:]).merging(example.state ?? [:], uniquingKeysWith: { a, _ in a }) {
      parameters[layerName(name, example)] = try references.values(tensor)
    }
    return (
      run, try example.inputs.map(references.values), parameters,
      try references.values(try #require(example.outputGradient))
    )
  }

  static func traced(
    _ inputs: [SymbolicTensor], _ example: OperationReferences.Case, _ references: OperationReferences
  ) -> SymbolicTensor {
    let x = inputs[0]
    let attributes = example.attributes
    var window: Window {
      .init(kernel: attributes.kernel ?? [], stride: attributes.stride ?? [], padding: attributes.padding ?? [])
    }
    let outputs = example.parameters?["weight"].map { references.shape($0)[0] } ?? 0
    switch example.operation {
    case "convolution":
      return x.convolution(
        "layer", outputs: outputs, window, groups: attributes.groups ?? 1, bias: attributes.bias ?? false)
    case "innerProduct": return x.innerProduct("layer", outputs: outputs, bias: attributes.bias ?? false)
    case "maxPool": return x.maxPool(window)
    case "averagePool": return x.averagePool(window)
    case "globalAveragePool": return x.globalAveragePool()
    case "relu": return x.relu()
    case "relu6": return x.relu6()
    case "batchNorm": return x.batchNorm("layer", epsilon: attributes.epsilon ?? 0)
    case "add": return inputs[0] + inputs[1]
    case "concatenate": return .concatenate(inputs)
    case "sliceChannels":
      let offset = attributes.offset ?? 0
      return x.slice(channels: offset..<offset + (attributes.channels ?? 0))
    case "padChannels": return x.padChannels(before: attributes.before ?? 0, after: attributes.after ?? 0)
    case "shuffleChannels": return x.shuffleChannels(groups: attributes.groups ?? 0)
    case "flatten": return x.flatten()
    case "residualBlock":
      let channels = attributes.outputChannels ?? 0
      let stride = attributes.stride?[0] ?? 1
      let body = x.convolution("conv1", outputs: channels, .init(3, stride: stride, padding: 1), bias: false)
        .batchNorm("bn1").relu()
        .convolution("conv2", outputs: channels, .init(3, padding: 1), bias: false).batchNorm("bn2")
      let projection = example.parameters?.keys.first {
        $0.hasSuffix("weight") && !["conv1.weight", "conv2.weight", "bn1.weight", "bn2.weight"].contains($0)
      }
      guard attributes.projection == true, projection != nil else { return (body + x).relu() }
      let names = projectionNames(example)
      let shortcut = x.convolution(names.convolution, outputs: channels, .init(1, stride: stride), bias: false)
        .batchNorm(names.norm)
      return (body + shortcut).relu()
    default: preconditionFailure("no operation \(example.operation)")
    }
  }

  /// The shortcut's layers: the convolution has no running statistics, the norm has.
  static func projectionNames(_ example: OperationReferences.Case) -> (convolution: String, norm: String) {
    let layers = Set(
      (example.parameters ?? [:]).keys.map { $0.split(separator: ".").dropLast().joined(separator: ".") }
    )
    .subtracting(["conv1", "bn1", "conv2", "bn2"])
    let norm = layers.first { example.state?["\($0).running_mean"] != nil } ?? ""
    return (layers.first { $0 != norm } ?? "", norm)
  }
}

/// Equal to a part in 10⁴ of the largest element, as fits sums of a few hundred 32-bit products; never finer than 10⁻⁶,
/// which is what terms of order one leave where they cancel.
func expectClose(
  _ values: [Float], _ expected: [Float], _ what: String, tolerance: Float = 1e-4,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(values.count == expected.count, "\(what)", sourceLocation: sourceLocation)
  let scale = max(expected.map(abs).max() ?? 0, 1e-2)
  let worst = zip(values, expected).enumerated().max { abs($0.1.0 - $0.1.1) < abs($1.1.0 - $1.1.1) }
  let error = worst.map { abs($0.1.0 - $0.1.1) } ?? 0
  let isFinite = values.allSatisfy(\.isFinite)
  #expect(
    isFinite && error <= tolerance * scale,
    "\(what): element \(worst?.0 ?? 0) is \(worst?.1.0 ?? 0), PyTorch has \(worst?.1.1 ?? 0)",
    sourceLocation: sourceLocation)
}

/// The same directions in every run.
struct SystemRandomNumberGeneratorWithSeed: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
