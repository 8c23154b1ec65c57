import CKernels
import Engine
import Networks

/// A traced function, its plan and its memory: runs forward and backward with any inputs and output gradient.
final class OperationRun {
  let graph: Graph
  let output: Graph.ValueID
  /// One line an instruction.
  let planText: [String]
  private let inputGradients: [Graph.ValueID?]
  private let layout: ParameterLayout
  private let program: Program
  private let arena: FloatBuffer
  private let parameters: FloatBuffer
  private let gradients: FloatBuffer

  init(inputs shapes: [[Int]], _ precision: Precision = .float32, _ body: ([SymbolicTensor]) -> SymbolicTensor) throws {
    let trace = Trace()
    let inputs = shapes.map { trace.input($0) }
    let result = body(inputs)
    let differentiated = trace.graph.differentiated(from: result.value)
    graph = differentiated.graph
    output = result.value
    inputGradients = inputs.map { differentiated.gradients[$0.value] }
    layout = try Planner.parameterLayout(for: graph)
    let plan = try Planner.plan(
      graph, parameterLayout: layout, precision: precision, keeping: [output] + inputGradients.compactMap { $0 })
    planText = plan.text
    arena = try FloatBuffer(count: plan.arenaBytes / 4 + 16)
    parameters = try FloatBuffer(count: layout.count)
    gradients = try FloatBuffer(count: layout.count)
    program = try Program(plan, arena: arena.pointer, seed: 1)
  }

  struct Result {
    var output: [Float]
    /// Nil where the function does not depend on the input.
    var inputGradients: [[Float]?]
    var parameterGradients: [String: [Float]]
  }

  func run(inputs: [[Float]], parameters values: [String: [Float]], outputGradient: [Float]) throws -> Result {
    for entry in layout.entries {
      if let value = values[entry.parameter.name] {
        try layout.setStandardValues(value, of: entry, in: parameters.pointer)
      }
    }
    // What a kernel leaves out must show, so nothing starts as zero.
    for index in 0..<arena.count { arena.pointer[index] = .nan }
    for index in 0..<gradients.count { gradients.pointer[index] = .nan }
    let externals = (inputs + [outputGradient]).map { values in
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(values.count, 1))
      memory.initialize(from: values, count: values.count)
      return memory
    }
    defer { externals.forEach { $0.deallocate() } }
    var arguments = Program.Inputs(
      parameters: parameters.pointer, gradients: gradients.pointer, externals: externals.map { UnsafePointer($0) },
      labels: [0])
    arguments.statisticsWeight = 1
    _ = try program.run(arguments)
    func standardValues(_ value: Graph.ValueID) throws -> [Float] {
      try program.standardValues(of: value, count: graph[value].count, shape: graph[value].shape, arguments)
    }
    return Result(
      output: try standardValues(output), inputGradients: try inputGradients.map { try $0.map(standardValues) },
      parameterGradients: try Dictionary(
        uniqueKeysWithValues: layout.entries.map {
          ($0.parameter.name, try layout.standardValues(of: $0, in: gradients.pointer))
        }))
  }
}
