import CKernels
import COneDNN
import Networks

/// The rules for what moves elements and computes none.
extension Planner {
  mutating func addConcatenation(_ node: Graph.Node) throws {
    if let prefix = prefixes[node.outputs[0]] { return try addPrefix(node, prefix) }
    var sources: [Layout] = []
    var inputs: [(Kernel.Argument, Plan.Location)] = []
    for (index, value) in node.inputs.enumerated() {
      let source = try amongOthers(value)
      sources.append(source.layout)
      inputs.append((Kernel.Argument(ODN_MULTIPLE_SRC.rawValue + UInt32(index)), source.location))
    }
    let kernel = try Kernel(
      odn_concatenate(Int32(sources.count), sources.map { OpaquePointer?($0.pointer) }, nil), "concatenate")
    let result = try kernel.layout(ODN_DST)
    try emit(kernel, inputs + [(ODN_DST, try store(node.outputs[0], result))], sources + [result])
  }

  mutating func addSlice(_ node: Graph.Node, _ offset: Int) throws {
    let shape = graph[node.outputs[0]].shape
    let offsets = [0, offset, 0, 0]
    if try offset == 0 && aliasPrefix(node) { return }
    var (whole, source) = try amongOthers(node.inputs[0])
    let result = try resultLayout(node.outputs[0], like: operand(node.inputs[0]))
    if whole.part(shape, at: offsets) == nil {
      // Blocks of channels do not end where the slice does.
      let plain = try Layout.plain(graph[node.inputs[0]].shape, of: precision.computed)
      source = try fetch(node.inputs[0], as: plain)
      whole = plain
    }
    guard let part = whole.part(shape, at: offsets) else { throw EngineError.last("channels from \(offset)") }
    try emitReorder(source, part, store(node.outputs[0], result), result)
  }

  mutating func addPadding(_ node: Graph.Node, _ offset: Int) throws {
    let shape = graph[node.inputs[0]].shape
    let offsets = [0, offset, 0, 0]
    let source = try operand(node.inputs[0])
    let input = try fetch(node.inputs[0], as: source)
    let result = try resultLayout(node.outputs[0], like: source)
    let place = try store(node.outputs[0], result)
    if let part = result.part(shape, at: offsets) {
      emit(.clear(place, bytes: result.bytes), result.text)
      return try emitReorder(input, source, place, part)
    }
    let plain = try Layout.plain(graph[node.outputs[0]].shape, of: precision.computed)
    guard let part = plain.part(shape, at: offsets) else { throw EngineError.last("channels from \(offset)") }
    let whole = temporary(bytes: plain.bytes)
    emit(.clear(whole, bytes: plain.bytes), plain.text)
    try emitReorder(input, source, whole, part)
    try emitReorder(whole, plain, place, result)
  }

  mutating func addShuffle(_ node: Graph.Node, _ groups: Int) throws {
    let result = try resultLayout(node.outputs[0], like: operand(node.inputs[0]))
    let source = try fetch(node.inputs[0], as: result)
    let channels = Int32(graph[node.outputs[0]].shape[1])
    let kernel = try Kernel(odn_shuffle(result.pointer, channels, Int32(groups)), "shuffle")
    try emit(kernel, [(ODN_SRC, source), (ODN_DST, try store(node.outputs[0], result))], [result])
  }

  /// Our own kernel, over images in blocks of channels; what lies otherwise is reordered.
  mutating func addGathering(_ node: Graph.Node, _ channels: [Int]) throws {
    let shape = graph[node.outputs[0]].shape
    let block = Int(ck_block())
    let blocks = try Layout.channelBlocks(shape, of: block).of(precision.stored)
    let result = graph[node.outputs[0]].gradientOf == nil ? blocks : layoutOfOrigin(node.outputs[0])
    let sources = try node.inputs.map {
      try fetch($0, as: .channelBlocks(graph[$0].shape, of: block).of(precision.stored))
    }
    let place = make(node.outputs[0], result)
    let destination = result == blocks ? place : temporary(bytes: blocks.bytes)
    emit(
      GatherChannels(
        in: precision.storage, batch: shape[0], area: shape[2] * shape[3], sources: sources,
        sourceChannels: node.inputs.map { graph[$0].shape[1] }, channels: channels, result: destination), [blocks])
    if result != blocks { try emitReorder(destination, blocks, place, result) }
  }

  /// A gradient has the layout of the value it belongs to; a result of the forward pass has the order of its input.
  private func resultLayout(_ value: Graph.ValueID, like input: Layout) throws -> Layout {
    graph[value].gradientOf == nil
      ? try input.resized(graph[value].shape).of(input.element) : try operandOfOrigin(value)
  }

  mutating func addReshape(_ node: Graph.Node) throws {
    let element = layout(node.inputs[0]).element
    let from = try Layout.plain(graph[node.inputs[0]].shape, of: element)
    let to = try Layout.plain(graph[node.outputs[0]].shape, of: element)
    if layout(node.inputs[0]) == from {
      alias(node.outputs[0], to, location(node.inputs[0]))
    } else {
      try emitReorder(location(node.inputs[0]), layout(node.inputs[0]), make(node.outputs[0], to), from)
    }
  }
}
