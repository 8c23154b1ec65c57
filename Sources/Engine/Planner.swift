import COneDNN
import Networks

/// Turns a graph into a plan by rules: picks kernels and layouts, adds reorders where layouts differ, works in place
/// where the input is not needed again, and packs the arena.
///
/// Rules, in this order. A kernel that only passes elements on takes its input's layout. A convolution lets the library
/// choose the layout of its result and, in the first program, of its weights; it takes its input as it lies if that
/// still gives generated code. A gradient has the layout of the value it belongs to. An inner product keeps images
/// row-major. Where our own kernel is faster than the library's, it takes its place (`KernelChoice`). A ReLU that alone reads the result of a
/// convolution or an inner product is applied by that kernel before it stores.
package struct Planner {
  let graph: Graph
  /// Nil in the first program, which chooses it.
  let parameterLayout: ParameterLayout?
  let isTraining: Bool
  let choice: KernelChoice
  let precision: Precision

  var plan = Plan()
  var forms: [Int: ParameterLayout.Form] = [:]
  /// Offsets of parameters are known only once all forms are, so a first program is planned in two passes.
  private(set) var layouts: [Graph.ValueID: Layout] = [:]
  private(set) var locations: [Graph.ValueID: Plan.Location] = [:]
  private var storages: [ArenaPacking.Storage] = []
  /// Results of the current node that are still to be rounded.
  var roundings: [Rounding] = []
  let lastReader: [Graph.ValueID: Int]
  /// By a value, the result of the ReLU that its kernel applies at once.
  private let fusedRelu: [Graph.ValueID: Graph.ValueID]
  private(set) var node = 0
  /// By a value that will lie in the memory of a larger one, as its first channels, which one.
  let prefixes: [Graph.ValueID: Prefix]
  /// By a value that lies so, the channels of the larger one.
  var imageChannels: [Graph.ValueID: Int] = [:]

  /// The plan of a training graph (`Graph.training`) or of an inference graph (`Graph.inference`).
  /// - Parameter kept: values whose memory nothing may reuse, so that they can be read after a run.
  package static func plan(
    _ graph: Graph, parameterLayout: ParameterLayout, choice: KernelChoice = KernelChoice(),
    precision: Precision = .float32, recomputation: Recomputation = .none, keeping kept: [Graph.ValueID] = []
  ) throws -> Plan {
    var planner = Planner(
      graph: graph, parameterLayout: parameterLayout, choice: choice, precision: precision,
      recomputation: recomputation, keeping: kept)
    try planner.run()
    for value in kept { planner.plan.kept[value] = (planner.location(value), planner.layout(value)) }
    return planner.plan
  }

  /// The parameter layout that the kernels of a training graph ask for. It is that of float32 in any precision: parameters
  /// are floats always, and two runs that differ in precision alone then have the same buckets.
  package static func parameterLayout(
    for graph: Graph, choice: KernelChoice = KernelChoice()
  ) throws -> ParameterLayout {
    var planner = Planner(graph: graph, parameterLayout: nil, choice: choice, precision: .float32)
    try planner.run()
    return try ParameterLayout(
      parameters: graph.parameters, finishingOrder: planner.graph.finishingOrder, forms: planner.forms)
  }

  private init(
    graph: Graph, parameterLayout: ParameterLayout?, choice: KernelChoice, precision: Precision,
    recomputation: Recomputation = .none,
    keeping kept: [Graph.ValueID] = []
  ) {
    let fused = choice.policy == .library ? graph : graph.fused(keeping: kept).gatheringChannels(keeping: kept)
    let graph = fused.recomputing(recomputation)
    self.graph = graph
    self.choice = choice
    self.precision = precision
    self.parameterLayout = parameterLayout
    isTraining = !graph.nodes.contains { $0.operation == .softmaxCrossEntropyLoss }
    var lastReader: [Graph.ValueID: Int] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for value in node.inputs { lastReader[value] = index }
      // A result that nobody reads lives while its node runs.
      for value in node.outputs where lastReader[value] == nil { lastReader[value] = index }
    }
    for value in kept { lastReader[value] = graph.nodes.count }
    self.lastReader = lastReader
    fusedRelu = Self.reluFusions(graph, keeping: kept)
    // Parts of values in bfloat16 are beyond what can be emulated.
    prefixes = precision == .float32 ? Self.prefixes(graph, keeping: kept) : [:]
  }

  private static func reluFusions(_ graph: Graph, keeping kept: [Graph.ValueID]) -> [Graph.ValueID: Graph.ValueID] {
    var readers: [Graph.ValueID: Int] = [:]
    for node in graph.nodes { for value in node.inputs { readers[value, default: 0] += 1 } }
    var fusible: Set<Graph.ValueID> = []
    var fusions: [Graph.ValueID: Graph.ValueID] = [:]
    for node in graph.nodes {
      switch node.operation {
      case .convolution, .innerProduct: fusible.formUnion(node.outputs)
      case .relu:
        let input = node.inputs[0]
        if fusible.contains(input) && readers[input] == 1 && !kept.contains(input) { fusions[input] = node.outputs[0] }
      default: break
      }
    }
    return fusions
  }

  private mutating func run() throws {
    for (index, node) in graph.nodes.enumerated() {
      self.node = index
      do {
        try add(node)
        try round()
      } catch let error as EngineError {
        throw EngineError("layer \(node.name), \(node.operation.kind): \(error.description)")
      }
      for parameter in node.parameters + node.finishes { plan.freeAfter[parameter] = plan.steps.count - 1 }
    }
    let packing = ArenaPacking(storages)
    plan.offsets = packing.offsets
    plan.arenaBytes = packing.bytes
  }

  // MARK: what the rules of `Planner+Operations` and its neighbours are written with

  func layout(_ value: Graph.ValueID) -> Layout {
    guard let layout = layouts[value] else { preconditionFailure("value \(value.index) is read before it is made") }
    return layout
  }

  /// The layout of the forward value of which this is the gradient.
  func layoutOfOrigin(_ gradient: Graph.ValueID) -> Layout {
    guard let origin = graph[gradient].gradientOf else { preconditionFailure("value \(gradient.index) is no gradient") }
    return layout(origin)
  }

  func location(_ value: Graph.ValueID) -> Plan.Location {
    guard let location = locations[value] else { preconditionFailure("value \(value.index) is read before it is made") }
    return location
  }

  /// Adds an instruction of the current node.
  mutating func emit(_ instruction: Plan.Instruction, _ text: String) {
    let node = graph.nodes[node]
    plan.steps.append(Plan.Step(instruction: instruction, operation: node.operation.kind, layer: node.name))
    plan.text.append("\(node.operation.kind) \(node.name) \(text)")
  }

  /// Whether the current node gets our own kernel where there is a choice; the plan remembers that there was one.
  mutating func usesOwn(_ operation: String, isFaster: Bool) -> Bool {
    let node = graph.nodes[node]
    let operation = precision == .float32 ? operation : "\(precision.rawValue) \(operation)"
    plan.choices[operation, default: []].insert(Plan.Place(operation: node.operation.kind, layer: node.name))
    return choice.usesOwn(operation, isFaster: isFaster)
  }

  /// Adds one of our own kernels, with the memory that it needs while it runs.
  mutating func emit(_ kernel: some OwnKernel, _ layouts: [Layout]) {
    let scratch = kernel.scratchBytes > 0 ? temporary(bytes: kernel.scratchBytes) : nil
    emit(.own(kernel, scratch: scratch), kernel.name + layouts.map { " " + $0.text }.joined())
  }

  /// Adds a kernel of the current node, with its scratchpad where it wants one.
  mutating func emit(_ kernel: Kernel, _ bindings: [(Kernel.Argument, Plan.Location)], _ layouts: [Layout]) throws {
    var bindings = bindings.map { Plan.Binding(argument: $0.0, location: $0.1) }
    let scratch = try kernel.layout(ODN_SCRATCHPAD).bytes
    if scratch > 0 { bindings.append(Plan.Binding(argument: ODN_SCRATCHPAD, location: temporary(bytes: scratch))) }
    emit(.kernel(kernel, bindings), kernel.name + layouts.map { " " + $0.text }.joined())
  }

  /// Memory that the current node needs only while it runs.
  mutating func temporary(bytes: Int) -> Plan.Location {
    storages.append(ArenaPacking.Storage(bytes: bytes, first: node, last: node))
    return .arena(storage: storages.count - 1)
  }

  /// Memory for a result of the current node, kept until its last reader.
  @discardableResult
  mutating func make(_ value: Graph.ValueID, _ layout: Layout, bytes: Int? = nil) -> Plan.Location {
    storages.append(
      ArenaPacking.Storage(bytes: bytes ?? layout.bytes, first: node, last: lastReader[value] ?? node))
    layouts[value] = layout
    locations[value] = .arena(storage: storages.count - 1)
    return .arena(storage: storages.count - 1)
  }

  /// Whether the kernel that makes a value applies the ReLU behind it before it stores.
  func appliesRelu(_ result: Graph.ValueID) -> Int32 { fusedRelu[result] == nil ? 0 : 1 }

  /// Memory for what the current node's kernel stores: its result, or that of the ReLU behind it. The node's own result
  /// is then never there, but its layout is what gradients ask for.
  mutating func makeStored(_ result: Graph.ValueID, _ layout: Layout) throws -> Plan.Location {
    layouts[result] = try layout.of(precision.stored)
    return try store(fusedRelu[result] ?? result, layout)
  }

  /// Whether the value's kernel has stored it already, with the ReLU applied.
  func isFused(_ relu: Graph.Node) -> Bool { fusedRelu[relu.inputs[0]] == relu.outputs[0] }

  /// A result of the current node in the memory of an input that nobody reads later, else in memory of its own.
  mutating func make(_ value: Graph.ValueID, _ layout: Layout, inPlaceOf location: Plan.Location) -> Plan.Location {
    guard case .arena(let storage) = location, isLast(location), storages[storage].bytes == layout.bytes
    else { return make(value, layout) }
    alias(value, layout, location)
    return location
  }

  /// Whether nobody reads after the current node what lies there.
  func isLast(_ location: Plan.Location) -> Bool {
    guard case .arena(let storage) = location else { return false }
    return storages[storage].last == node
  }

  func bytes(_ location: Plan.Location) -> Int {
    guard case .arena(let storage) = location else { return 0 }
    return storages[storage].bytes
  }

  /// A result that is an input under another shape: the same memory, kept as long as either is read.
  mutating func alias(_ value: Graph.ValueID, _ layout: Layout, _ location: Plan.Location) {
    if case .arena(let storage) = location {
      storages[storage].last = max(storages[storage].last, lastReader[value] ?? node)
    }
    layouts[value] = layout
    locations[value] = location
  }

  /// Memory that all values of a chain share, kept from the current node until the last reader of any.
  mutating func makeShared(bytes: Int, until last: Int) -> Plan.Location {
    storages.append(ArenaPacking.Storage(bytes: bytes, first: node, last: last))
    return .arena(storage: storages.count - 1)
  }

  /// The first of the candidates with the best rank; candidates that the library refuses are passed over.
  func best(_ candidates: [() throws -> Kernel]) throws -> Kernel {
    var best: Kernel?
    var refusal: (any Error)?
    for candidate in candidates {
      do {
        let kernel = try candidate()
        if kernel.rank < (best?.rank ?? .max) { best = kernel }
        if kernel.rank == 0 { break }
      } catch { refusal = error }
    }
    guard let best else { throw refusal ?? EngineError("no kernel to choose from") }
    return best
  }

  /// Where a parameter lies; in the first pass of a first program, no place yet.
  func parameterLocation(_ index: Int) -> Plan.Location {
    .parameters(parameterLayout?[parameter: index].range.lowerBound ?? 0)
  }

  func gradientLocation(_ index: Int) -> Plan.Location {
    .gradients(parameterLayout?[parameter: index].range.lowerBound ?? 0)
  }

  /// The layout of a parameter that is known, from the run's layout or from this pass.
  func knownLayout(_ parameter: Int) -> Layout? {
    parameterLayout?[parameter: parameter].layout ?? forms[parameter]?.layout
  }
}
