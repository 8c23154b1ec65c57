import CKernels
import COneDNN
import Networks

/// The rules for values that lie in the memory of a larger one as its first channels: what a dense block has so far, and
/// the gradients of that. `layout` says of them how they would lie alone; only normalisations, concatenations and slices
/// read them, which know of `imageChannels`.
extension Planner {
  struct Prefix {
    /// All values of a chain share memory.
    let chain: Int
    let channels: Int
  }

  static func prefixes(_ graph: Graph, keeping kept: [Graph.ValueID]) -> [Graph.ValueID: Prefix] {
    var prefixes: [Graph.ValueID: Prefix] = [:]
    for (index, chain) in graph.concatenationChains(keeping: Set(kept)).enumerated() {
      guard let last = chain.values.last, let first = chain.values.first,
        let start = graph.nodes.first(where: { $0.outputs.contains(first) })
      else { continue }
      let ends = (start.inputs.prefix(1) + chain.values).map { graph[$0].shape[1] }
      // Blocks of channels must end where values do.
      guard ends.allSatisfy({ $0 % Int(ck_block()) == 0 }) else { continue }
      for value in chain.values { prefixes[value] = Prefix(chain: index, channels: graph[last].shape[1]) }
    }
    return prefixes
  }

  /// Floats from one image to the next of a value that does not lie alone; else 0.
  func imageStride(_ value: Graph.ValueID) -> Int {
    let shape = graph[value].shape
    return imageChannels[value].map { $0 * shape[2] * shape[3] } ?? 0
  }

  /// Where a value's elements are, among those of the larger one if there is one.
  func memoryLayout(_ value: Graph.ValueID) throws -> Layout {
    guard let channels = imageChannels[value] else { return layout(value) }
    let shape = graph[value].shape
    let whole = try Layout.channelBlocks([shape[0], channels, shape[2], shape[3]], of: Int(ck_block()))
    guard let part = whole.part(shape, at: [0, 0, 0, 0]) else { throw EngineError.last("the first channels") }
    return part
  }

  /// A value as a kernel of the library takes it that can step over elements of others.
  mutating func amongOthers(_ value: Graph.ValueID) throws -> (layout: Layout, location: Plan.Location) {
    if imageChannels[value] != nil { return (try memoryLayout(value), location(value)) }
    let layout = try operand(value)
    return (layout, try fetch(value, as: layout))
  }

  /// A concatenation whose first input is in place already, or comes to be with the first of a chain: only the second is
  /// copied.
  mutating func addPrefix(_ node: Graph.Node, _ prefix: Prefix) throws {
    let (base, added, value) = (node.inputs[0], node.inputs[1], node.outputs[0])
    let shape = graph[value].shape
    let extents = [shape[0], prefix.channels, shape[2], shape[3]]
    let whole = try Layout.channelBlocks(extents, of: Int(ck_block()))
    let place: Plan.Location
    if prefixes[base]?.chain == prefix.chain {
      place = location(base)
    } else {
      place = makeShared(bytes: whole.bytes, until: lastReader[value] ?? self.node)
      try emitCopy(base, to: place, whole, at: 0)
    }
    try emitCopy(added, to: place, whole, at: graph[base].shape[1])
    alias(value, try .channelBlocks(shape, of: Int(ck_block())), place)
    imageChannels[value] = prefix.channels
  }

  private mutating func emitCopy(
    _ value: Graph.ValueID, to place: Plan.Location, _ whole: Layout, at channel: Int
  ) throws {
    guard let part = whole.part(graph[value].shape, at: [0, channel, 0, 0]) else {
      throw EngineError.last("channels from \(channel)")
    }
    try emitReorder(location(value), memoryLayout(value), place, part)
  }

  /// Whether all readers of a gradient take one that lies among others: slices, and normalisations that add theirs to it.
  private func isTakenAsPrefix(_ value: Graph.ValueID) -> Bool {
    (lastReader[value] ?? 0) < graph.nodes.count
      && graph.nodes.allSatisfy { reader in
        guard reader.inputs.contains(value) else { return true }
        switch reader.operation {
        case .sliceChannels: return true
        case .fusedBatchNormBackward(let fusion):
          return fusion.accumulates && reader.inputs.last == value && reader.inputs.filter { $0 == value }.count == 1
        default: return false
        }
      }
  }

  /// Lets a gradient's first channels lie where they are, if whoever reads them can take them there.
  mutating func aliasPrefix(_ node: Graph.Node) throws -> Bool {
    let (source, value) = (node.inputs[0], node.outputs[0])
    let shape = graph[value].shape
    let block = Int(ck_block())
    guard precision == .float32, graph[value].gradientOf != nil, shape[1] % block == 0, isTakenAsPrefix(value) else {
      return false
    }
    let blocks = try Layout.channelBlocks(shape, of: block)
    guard try layout(source) == .channelBlocks(graph[source].shape, of: block), layoutOfOrigin(value) == blocks else {
      return false
    }
    guard case .arena = location(source) else { return false }
    alias(value, blocks, location(source))
    imageChannels[value] = imageChannels[source] ?? graph[source].shape[1]
    return true
  }

  /// Memory for the sum of a gradient and the one found before it, which is `earlier`: there, if nothing else is read from
  /// that memory any more and readers can take it, else memory of its own.
  mutating func makeSum(_ value: Graph.ValueID, _ layout: Layout, onto earlier: Graph.ValueID) -> Plan.Location {
    guard let channels = imageChannels[earlier] else { return make(value, layout, inPlaceOf: location(earlier)) }
    guard isLast(location(earlier)), isTakenAsPrefix(value) else {
      return make(value, layout)
    }
    alias(value, layout, location(earlier))
    imageChannels[value] = channels
    return location(earlier)
  }
}
