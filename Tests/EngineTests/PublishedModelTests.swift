import Engine
import Foundation
import Models
import Networks
import TensorFiles
import Testing

/// Whole models against PyTorch's numbers (Tests/References/make-model-references.py): logits by running statistics, and
/// one training pass with the norm of every parameter's gradient.
@Suite(.serialized) struct PublishedModelTests {
  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let model: String
    let batch: Int
    let image: [Int]
    let trains: Bool
    let float32Deviation: Float?
    var testDescription: String { model }

    func network() throws -> Network {
      try #require(ModelName(rawValue: model)).network(input: .init(3, image[0], image[1]), classes: 10)
    }
  }

  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("References")

  static let cases: [Case] = {
    struct File: Decodable { let cases: [Case] }
    let path = directory.appendingPathComponent("models.json")
    return try! JSONDecoder().decode(File.self, from: Data(contentsOf: path)).cases
  }()

  private func reference(_ example: Case, _ role: String) throws -> [Float] {
    let file = try SafetensorsFile(path: Self.directory.appendingPathComponent("models.safetensors").path)
    return try file.floats("\(example.model)/\(role)")
  }

  @Test(arguments: cases) func logitsAgreeWithPyTorch(_ example: Case) throws {
    let graph = try example.network().traced(batchSize: example.batch)
    let run = try ModelRun(graph.inference(), layoutOf: graph.training())
    expectClose(try run.logits(), try reference(example, "inference"), "logits")
  }

  /// With the kernels that the rules choose, and with our own wherever there is one.
  @Test(arguments: cases.filter(\.trains), [KernelChoice.Policy.rules, .own])
  func gradientsAgreeWithPyTorch(_ example: Case, _ policy: KernelChoice.Policy) throws {
    let graph = try example.network().traced(batchSize: example.batch).training()
    let run = try ModelRun(graph, layoutOf: graph, choice: KernelChoice(policy))
    expectClose(try run.logits(), try reference(example, "training"), "logits", tolerance: 1e-3)
    let norms = try run.gradientNorms()
    let expected = try reference(example, "gradients")
    try #require(norms.count == expected.count)
    // Deep stacks of batch norms magnify rounding, in PyTorch's float32 too. A gradient that is zero but for rounding, as
    // of a shift that the next batch norm takes away, is small beside the others.
    let tolerance = max(1e-3, 2 * (try #require(example.float32Deviation)))
    let scale = expected.reduce(0, max)
    for ((name, norm), reference) in zip(norms, expected) {
      #expect(
        abs(norm - reference) <= tolerance * reference + 1e-5 * scale, "\(name): \(norm), PyTorch has \(reference)")
    }
    // Parameters that the plan says it is done with may be overwritten at once, and their gradients read.
    #expect(try run.gradientNormsOverwritingFreeParameters().map(\.norm.bitPattern) == norms.map(\.norm.bitPattern))
  }
}

/// One run of a model's graph, with parameters and images that PyTorch's side makes by the same formula.
private final class ModelRun {
  private let graph: Graph
  private let layout: ParameterLayout
  private let program: Program
  private let arena, parameters, gradients, images: FloatBuffer
  private var inputs: Program.Inputs

  init(_ graph: Graph, layoutOf training: Graph, choice: KernelChoice = KernelChoice()) throws {
    self.graph = graph
    layout = try Planner.parameterLayout(for: training, choice: choice)
    let plan = try Planner.plan(graph, parameterLayout: layout, choice: choice, keeping: [graph.logits])
    arena = try FloatBuffer(count: plan.arenaBytes / 4 + 16)
    parameters = try FloatBuffer(count: layout.count)
    gradients = try FloatBuffer(count: graph.finishingOrder.isEmpty ? 0 : layout.count)
    images = try FloatBuffer(count: graph[graph.inputs[0]].count)
    for entry in layout.entries {
      try layout.setStandardValues(Self.values(of: entry.parameter), of: entry, in: parameters.pointer)
    }
    Self.write("images", into: images.values) { Float($0) }
    // What a kernel leaves out must show, the padding of blocked layouts too: nothing starts as zero.
    arena.values.update(repeating: .nan)
    gradients.values.update(repeating: .nan)
    program = try Program(plan, arena: arena.pointer, seed: 1)
    let labels = (0..<graph.batchSize).map { Int32(3 * $0 % 10) }
    let labelMemory = UnsafeMutablePointer<Int32>.allocate(capacity: labels.count)
    labelMemory.initialize(from: labels, count: labels.count)
    self.labels = labelMemory
    inputs = Program.Inputs(
      parameters: parameters.pointer, gradients: gradients.pointer, externals: [UnsafePointer(images.pointer)],
      labels: labelMemory)
    inputs.gradientScale = 1
    inputs.statisticsWeight = 1
    _ = try program.run(inputs)
  }

  private let labels: UnsafeMutablePointer<Int32>
  deinit { labels.deallocate() }

  func logits() throws -> [Float] {
    let logits = graph[graph.logits]
    return try program.standardValues(of: graph.logits, count: logits.count, shape: logits.shape, inputs)
  }

  /// Of a second run that destroys each parameter as soon as it is free, and takes each norm at that moment.
  func gradientNormsOverwritingFreeParameters() throws -> [(name: String, norm: Float)] {
    var norms: [(name: String, norm: Float)] = []
    let entries = layout.entries
    program.announce(parts: entries.map(\.range), layout)
    var inputs = inputs
    inputs.isFree = { [self] part in
      let entry = entries[part]
      parameters.values[entry.range].update(repeating: .nan)
      if entry.parameter.isTrainable { norms.append((entry.parameter.name, gradientNorm(of: entry))) }
    }
    _ = try program.run(inputs)
    return norms.sorted { $0.name < $1.name }
  }

  /// The norms over the whole memory of a gradient, padding included, which is zero; sorted by name.
  func gradientNorms() throws -> [(name: String, norm: Float)] {
    layout.entries.filter(\.parameter.isTrainable).sorted { $0.parameter.name < $1.parameter.name }.map { entry in
      (entry.parameter.name, gradientNorm(of: entry))
    }
  }

  private func gradientNorm(of entry: ParameterLayout.Entry) -> Float {
    Float(gradients.values[entry.range].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
  }

  static func values(of parameter: Parameter) -> [Float] {
    let fan = parameter.shape.dropFirst().reduce(1, *)
    return [Float](unsafeUninitializedCapacity: parameter.count) { buffer, initialized in
      let scale = (6 / Double(fan)).squareRoot()
      let isMatrix = parameter.shape.count > 1
      let role = parameter.role
      write(parameter.name, into: buffer) { u in
        if isMatrix { return Float(u * scale) }
        switch role {
        case .runningVariance: return Float(1 + 0.5 * u)
        case .normalizationScale: return Float(1 + 0.25 * u)
        default: return Float(u * 0.1)
        }
      }
      initialized = parameter.count
    }
  }

  /// Numbers in −1 ..< 1 by name and index: FNV-1a, a counter, and the end of MurmurHash3.
  private static func write(
    _ name: String, into buffer: UnsafeMutableBufferPointer<Float>, _ value: (Double) -> Float
  ) {
    let seed = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    for index in buffer.indices {
      var h = UInt32(truncatingIfNeeded: index) &* 0x9e37_79b9 &+ seed
      h = (h ^ (h >> 16)) &* 0x85eb_ca6b
      h = (h ^ (h >> 13)) &* 0xc2b2_ae35
      h ^= h >> 16
      buffer[index] = value(Double(h >> 8) * 0x1p-23 - 1)
    }
  }
}
