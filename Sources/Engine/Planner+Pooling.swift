import CKernels
import COneDNN
import Networks

/// The rules for pools: they keep the layout of their input, forward and backward.
extension Planner {
  func wholeImage(_ value: Graph.ValueID) -> Window {
    Window(kernel: Array(graph[value].shape[2...]), stride: [1, 1], padding: [0, 0])
  }

  mutating func addPool(_ node: Graph.Node, _ kind: BlockedPool.Kind, _ window: Window) throws {
    let source = try operand(node.inputs[0])
    if let shape = try ownPool(kind, input: node.inputs[0], output: node.outputs[0], source, window) {
      let result = try Layout.channelBlocks(graph[node.outputs[0]].shape, of: Int(ck_block()))
      let output = make(node.outputs[0], result)
      // A byte for each of the result's floats.
      let places = isTraining && kind == .max ? make(node.outputs[1], result, bytes: result.bytes / 4) : nil
      return emit(
        BlockedPool(kind, shape, isBackward: false, places: places, input: location(node.inputs[0]), output: output),
        [source, result])
    }
    let any = try anyOperand(node.outputs[0])
    var geometry = odn_window(window)
    let kernel = try Kernel(odn_pool_forward(mode, kind.library, source.pointer, any.pointer, &geometry), "pool")
    let result = try kernel.layout(ODN_DST)
    var bindings = [(ODN_SRC, try fetch(node.inputs[0], as: source)), (ODN_DST, try store(node.outputs[0], result))]
    if node.outputs.count > 1 {
      let workspace = try kernel.layout(ODN_WORKSPACE)
      let place = make(node.outputs[1], workspace)
      if workspace.bytes > 0 { bindings.append((ODN_WORKSPACE, place)) }
    }
    try emit(kernel, bindings, [source, result])
  }

  mutating func addPoolBackward(_ node: Graph.Node, _ kind: BlockedPool.Kind, _ window: Window) throws {
    // dy has the layout of the forward result, dx that of the forward input.
    let dy = try operandOfOrigin(node.inputs[0])
    let dx = try operandOfOrigin(node.outputs[0])
    if let shape = try ownPool(kind, input: node.outputs[0], output: node.inputs[0], dx, window) {
      let gradient = try fetch(node.inputs[0], as: dy)
      let places = kind == .max ? location(node.inputs[1]) : nil
      return emit(
        BlockedPool(
          kind, shape, isBackward: true, places: places, input: gradient, output: make(node.outputs[0], dx)),
        [dx, dy])
    }
    var geometry = odn_window(window)
    let kernel = try Kernel(odn_pool_backward(kind.library, dx.pointer, dy.pointer, &geometry), "pool backward")
    var bindings = [(ODN_DIFF_DST, try fetch(node.inputs[0], as: dy)), (ODN_DIFF_SRC, try store(node.outputs[0], dx))]
    if node.inputs.count > 1, try kernel.layout(ODN_WORKSPACE).bytes > 0 {
      bindings.append((ODN_WORKSPACE, location(node.inputs[1])))
    }
    try emit(kernel, bindings, [dx, dy])
  }

  /// The shape of a pool that is our own. Forward and backward agree, because they ask with the same text and layout.
  private mutating func ownPool(
    _ kind: BlockedPool.Kind, input: Graph.ValueID, output: Graph.ValueID, _ source: Layout, _ window: Window
  ) throws -> ck_pool? {
    let extents = graph[input].shape
    guard precision == .float32, try source == .channelBlocks(extents, of: Int(ck_block())),
      BlockedPool.canDo(kind, window)
    else {
      return nil
    }
    func text(_ extents: [Int]) -> String { extents.map(String.init).joined(separator: "×") }
    let operation =
      "\(kind) pool \(text(extents)) by \(text(window.kernel)), stride \(text(window.stride)), "
      + "padding \(text(window.padding))"
    guard usesOwn(operation, isFaster: BlockedPool.isFaster(kind, window)) else { return nil }
    return BlockedPool.shape(input: extents, output: graph[output].shape, window)
  }
}

extension BlockedPool.Kind {
  fileprivate var library: odn_pool { self == .max ? ODN_POOL_MAX : ODN_POOL_AVERAGE }
}
