import CKernels
import COneDNN
import Networks

/// The rules for what moves elements and computes none.
extension Planner {
  mutating func addConcatenation(_ node: Graph.Node) throws {
    if let prefix = prefixes[node.outputs[0]] { return try addPrefix(node, prefix) }
    let sources = try node.inputs.map { try memoryLayout($0) }
    let kernel = try Kernel(
      odn_concatenate(Int32(sources.count), sources.map { OpaquePointer?($0.pointer) }, nil), "concatenate")
    let result = try kernel.layout(ODN_DST)
    let inputs = node.inputs.enumerated().map { index, value in
      (Kernel.Argument(ODN_MULTIPLE_SRC.rawValue + UInt32(index)), location(value))
    }
    try emit(kernel, inputs + [(ODN_DST, make(node.outputs[0], result))], sources + [result])
  }

  mutating func addSlice(_ node: Graph.Node, _ offset: Int) throws {
    let shape = graph[node.outputs[0]].shape
    let offsets = [0, offset, 0, 0]
    if try offset == 0 && aliasPrefix(node) { return }
    var whole = try memoryLayout(node.inputs[0])
    let result = try resultLayout(node.outputs[0], like: layout(node.inputs[0]))
    var source = location(node.inputs[0])
    if whole.part(shape, at: offsets) == nil {
      // Blocks of channels do not end where the slice does.
      let plain = try Layout.plain(graph[node.inputs[0]].shape)
      source = try fetch(node.inputs[0], as: plain)
      whole = plain
    }
    guard let part = whole.part(shape, at: offsets) else { throw EngineError.last("channels from \(offset)") }
    try emitReorder(source, part, make(node.outputs[0], result), result)
  }

  mutating func addPadding(_ node: Graph.Node, _ offset: Int) throws {
    let shape = graph[node.inputs[0]].shape
    let offsets = [0, offset, 0, 0]
    let source = layout(node.inputs[0])
    let result = try resultLayout(node.outputs[0], like: source)
    let place = make(node.outputs[0], result)
    if let part = result.part(shape, at: offsets) {
      emit(.clear(place, bytes: result.bytes), result.text)
      return try emitReorder(location(node.inputs[0]), source, place, part)
    }
    let plain = try Layout.plain(graph[node.outputs[0]].shape)
    guard let part = plain.part(shape, at: offsets) else { throw EngineError.last("channels from \(offset)") }
    let whole = temporary(bytes: plain.bytes)
    emit(.clear(whole, bytes: plain.bytes), plain.text)
    try emitReorder(location(node.inputs[0]), source, whole, part)
    try emitReorder(whole, plain, place, result)
  }

  mutating func addShuffle(_ node: Graph.Node, _ groups: Int) throws {
    let result = try resultLayout(node.outputs[0], like: layout(node.inputs[0]))
    let source = try fetch(node.inputs[0], as: result)
    let channels = Int32(graph[node.outputs[0]].shape[1])
    let kernel = try Kernel(odn_shuffle(result.pointer, channels, Int32(groups)), "shuffle")
    try emit(kernel, [(ODN_SRC, source), (ODN_DST, make(node.outputs[0], result))], [result])
  }

  /// Our own kernel, over images in blocks of channels; what lies otherwise is reordered.
  mutating func addGathering(_ node: Graph.Node, _ channels: [Int]) throws {
    let shape = graph[node.outputs[0]].shape
    let block = Int(ck_block())
    let blocks = try Layout.channelBlocks(shape, of: block)
    let result = graph[node.outputs[0]].gradientOf == nil ? blocks : layoutOfOrigin(node.outputs[0])
    let sources = try node.inputs.map { try fetch($0, as: .channelBlocks(graph[$0].shape, of: block)) }
    let place = make(node.outputs[0], result)
    let destination = result == blocks ? place : temporary(bytes: blocks.bytes)
    emit(
      GatherChannels(
        batch: shape[0], area: shape[2] * shape[3], sources: sources,
        sourceChannels: node.inputs.map { graph[$0].shape[1] }, channels: channels, result: destination), [blocks])
    if result != blocks { try emitReorder(destination, blocks, place, result) }
  }

  /// A gradient has the layout of the value it belongs to; a result of the forward pass has the order of its input.
  private func resultLayout(_ value: Graph.ValueID, like input: Layout) throws -> Layout {
    graph[value].gradientOf == nil ? try input.resized(graph[value].shape) : layoutOfOrigin(value)
  }

  mutating func addReshape(_ node: Graph.Node) throws {
    let from = try Layout.plain(graph[node.inputs[0]].shape)
    let to = try Layout.plain(graph[node.outputs[0]].shape)
    if layout(node.inputs[0]) == from {
      alias(node.outputs[0], to, location(node.inputs[0]))
    } else {
      try emitReorder(location(node.inputs[0]), layout(node.inputs[0]), make(node.outputs[0], to), from)
    }
  }
}
