import CKernels
import COneDNN
import Networks

/// The rules for convolutions and inner products, which have weights and take nearly all the time.
extension Planner {
  // MARK: convolution

  /// The extents under which a kernel sees the weights: grouped convolutions have the groups as an axis of their own.
  private func weightExtents(_ parameter: Int, _ groups: Int) -> [Int] {
    let shape = graph.parameters[parameter].shape
    return groups == 1 ? shape : [groups, shape[0] / groups] + shape[1...]
  }

  mutating func addConvolution(_ node: Graph.Node, _ window: Window, _ groups: Int, _ hasBias: Bool) throws {
    let extents = weightExtents(node.parameters[0], groups)
    let source = try operand(node.inputs[0])
    let anySource = try anyOperand(node.inputs[0])
    let anyResult = try anyOperand(node.outputs[0])
    let anyWeights = try Layout.any(extents).of(precision.computed)
    let bias = hasBias ? try Layout.plain(graph.parameters[node.parameters[1]].shape) : nil
    var geometry = odn_window(window)
    let mode = mode
    let relu = appliesRelu(node.outputs[0])
    func candidate(_ source: Layout, _ weights: Layout) -> () throws -> Kernel {
      {
        try Kernel(
          odn_convolution_forward(
            mode, source.pointer, weights.pointer, bias?.pointer, anyResult.pointer, &geometry, relu),
          "convolution")
      }
    }
    let known = knownLayout(node.parameters[0])
    // Parameters are floats, so a kernel in bfloat16 cannot take them as they are.
    let taken = precision.computed == .float32 ? known : nil
    let kernel = try best(
      (taken.map { [candidate(source, $0), candidate(anySource, $0)] } ?? [])
        + [candidate(source, anyWeights), candidate(anySource, anyWeights)])
    let weights = try kernel.layout(ODN_WEIGHTS)
    if known == nil {
      // An optimizer needs to see elements; a layout that only its kernel knows is made from the plain one each step.
      let own = weights.isBlocked ? weights : try Layout.plain(extents)
      forms[node.parameters[0]] = ParameterLayout.Form(layout: own, extents: extents)
    }
    let result = try kernel.layout(ODN_DST)
    let own = knownLayout(node.parameters[0]) ?? weights
    let images = try [kernel.layout(ODN_SRC), result]
    if let ownKernel = ownConvolution(CK_FORWARD, node, window, groups, images: images, weights: own, kernel) {
      let (source, result) = try (images[0].of(precision.stored), images[1].of(precision.stored))
      let arguments = ProductArguments(
        source: try fetch(node.inputs[0], as: source), weights: parameterLocation(node.parameters[0]),
        bias: hasBias ? parameterLocation(node.parameters[1]) : nil,
        output: try makeStored(node.outputs[0], result), relu: relu != 0)
      return emit(ownKernel(arguments), [source, own, result])
    }
    var bindings = [
      (ODN_SRC, try fetch(node.inputs[0], as: kernel.layout(ODN_SRC))),
      (ODN_WEIGHTS, try parameter(node.parameters[0], own, as: weights)),
    ]
    bindings.append((ODN_DST, try makeStored(node.outputs[0], result)))
    if hasBias { bindings.append((ODN_BIAS, parameterLocation(node.parameters[1]))) }
    try emit(kernel, bindings, [try kernel.layout(ODN_SRC), weights, result])
  }

  mutating func addConvolutionBackwardData(_ node: Graph.Node, _ window: Window, _ groups: Int) throws {
    let own = try ownLayout(node.parameters[0])
    let dx = try operandOfOrigin(node.outputs[0])
    let dy = try operandOfOrigin(node.inputs[0])
    let anyWeights = try Layout.any(weightExtents(node.parameters[0], groups)).of(precision.computed)
    let anySource = try anyOperand(node.outputs[0])
    let anyResult = try anyOperand(node.inputs[0])
    var geometry = odn_window(window)
    func candidate(_ dx: Layout, _ weights: Layout, _ dy: Layout) -> () throws -> Kernel {
      {
        try Kernel(
          odn_convolution_backward_data(dx.pointer, weights.pointer, dy.pointer, &geometry), "convolution backward")
      }
    }
    let kernel = try best(
      (precision.computed == .float32 ? [candidate(dx, own, dy)] : [])
        + [candidate(dx, anyWeights, dy), candidate(anySource, anyWeights, anyResult)])
    let weights = try kernel.layout(ODN_WEIGHTS)
    let result = try kernel.layout(ODN_DIFF_SRC)
    let gradient = try kernel.layout(ODN_DIFF_DST)
    let images = takesLayouts(kernel) ? [result, gradient] : [dx, dy]
    if let ownKernel = ownConvolution(CK_BACKWARD_DATA, node, window, groups, images: images, weights: own, kernel) {
      let (result, gradient) = try (images[0].of(precision.stored), images[1].of(precision.stored))
      let arguments = ProductArguments(
        weights: parameterLocation(node.parameters[0]), diffResult: try fetch(node.inputs[0], as: gradient),
        output: make(node.outputs[0], result))
      return emit(ownKernel(arguments), [result, own, gradient])
    }
    let bindings = [
      (ODN_DIFF_DST, try fetch(node.inputs[0], as: gradient)),
      (ODN_WEIGHTS, try parameter(node.parameters[0], own, as: weights)),
    ]
    try emit(kernel, bindings + [(ODN_DIFF_SRC, try store(node.outputs[0], result))], [result, weights, gradient])
  }

  mutating func addConvolutionBackwardWeights(
    _ node: Graph.Node, _ window: Window, _ groups: Int, _ hasBias: Bool
  ) throws {
    let own = try ownLayout(node.parameters[0])
    let x = try operand(node.inputs[0])
    let dy = try operandOfOrigin(node.inputs[1])
    let anyWeights = try Layout.any(weightExtents(node.parameters[0], groups))
    let anySource = try anyOperand(node.inputs[0])
    let anyResult = try anyOperand(node.inputs[1])
    let bias = hasBias ? try Layout.plain(graph.parameters[node.parameters[1]].shape) : nil
    var geometry = odn_window(window)
    func candidate(_ x: Layout, _ weights: Layout, _ dy: Layout) -> () throws -> Kernel {
      {
        try Kernel(
          odn_convolution_backward_weights(x.pointer, weights.pointer, bias?.pointer, dy.pointer, &geometry),
          "convolution backward")
      }
    }
    let kernel = try best([
      candidate(x, own, dy), candidate(x, anyWeights, dy), candidate(anySource, own, anyResult),
      candidate(anySource, anyWeights, anyResult),
    ])
    let source = try kernel.layout(ODN_SRC)
    let weights = try kernel.layout(ODN_DIFF_WEIGHTS)
    let gradient = try kernel.layout(ODN_DIFF_DST)
    let place = gradientLocation(node.parameters[0])
    let images = takesLayouts(kernel) ? [source, gradient] : [x, dy]
    if let ownKernel = ownConvolution(CK_BACKWARD_WEIGHTS, node, window, groups, images: images, weights: own, kernel) {
      let (source, gradient) = try (images[0].of(precision.stored), images[1].of(precision.stored))
      let arguments = ProductArguments(
        source: try fetch(node.inputs[0], as: source), diffResult: try fetch(node.inputs[1], as: gradient),
        diffBias: hasBias ? gradientLocation(node.parameters[1]) : nil, output: place)
      return emit(ownKernel(arguments), [source, own, gradient])
    }
    let destination = weights == own ? place : temporary(bytes: weights.bytes)
    var bindings = [
      (ODN_SRC, try fetch(node.inputs[0], as: source)), (ODN_DIFF_DST, try fetch(node.inputs[1], as: gradient)),
      (ODN_DIFF_WEIGHTS, destination),
    ]
    if hasBias { bindings.append((ODN_DIFF_BIAS, gradientLocation(node.parameters[1]))) }
    try emit(kernel, bindings, [source, weights, gradient])
    if weights != own { try emitReorder(destination, weights, place, own) }
  }

  /// Whether our own kernel would take over layouts from the library's. They are the library's choice as long as it has
  /// generated code for them; where it has not, it reorders to what its matrix products take, and ours takes values as they
  /// lie.
  private func takesLayouts(_ kernel: Kernel) -> Bool { kernel.rank == 0 || precision != .float32 }

  /// Our own kernel for a pass of a convolution where it takes over from the library's, `kernel`: it is faster, and the
  /// layouts are those it works on.
  private mutating func ownConvolution(
    _ pass: ck_pass, _ node: Graph.Node, _ window: Window, _ groups: Int, images: [Layout], weights: Layout,
    _ kernel: Kernel
  ) -> ((ProductArguments) -> any OwnKernel)? {
    let (x, y) =
      switch pass {
      case CK_BACKWARD_DATA: (node.outputs[0], node.inputs[0])
      case CK_BACKWARD_WEIGHTS: (node.inputs[0], node.inputs[1])
      default: (node.inputs[0], node.outputs[0])
      }
    let (input, output) = (graph[x].shape, graph[y].shape)
    func text(_ extents: some Sequence<Int>) -> String { extents.map(String.init).joined(separator: "×") }
    let operation =
      "\(node.operation.kind) \(text(input)) to \(text(output.dropFirst())) by \(text(window.kernel))"
    let (source, result) = (images[0].order, images[1].order)
    guard result == WinogradConvolution.imageLayout else { return nil }
    if precision == .float32, pass == CK_BACKWARD_WEIGHTS, source == "abcd",
      let shape = FirstConvolution.shape(
        input: input, output: output, window, groups: groups, weights: weights),
      usesOwn(operation + ", few channels", isFaster: kernel.rank > 0)
    {
      return { FirstConvolution(shape, $0) }
    }
    guard source == WinogradConvolution.imageLayout else { return nil }
    if weights.order == WinogradConvolution.weightLayout,
      let shape = WinogradConvolution.shape(
        input: input, output: output, window, groups: groups, storage: precision.storage),
      usesOwn(operation, isFaster: WinogradConvolution.isFaster(shape))
    {
      return { WinogradConvolution(pass, shape, $0) }
    }
    if precision == .float32, weights.order == DepthwiseConvolution.weightLayout,
      let shape = DepthwiseConvolution.shape(input: input, output: output, window, groups: groups),
      usesOwn(
        operation + ", depthwise", isFaster: DepthwiseConvolution.isFaster(pass, shape, libraryRank: kernel.rank))
    {
      return { DepthwiseConvolution(pass, shape, $0) }
    }
    return nil
  }

  private func ownLayout(_ parameter: Int) throws -> Layout {
    guard let layout = knownLayout(parameter) else { throw EngineError("backward before forward") }
    return layout
  }

  // MARK: inner product

  /// Whether an inner product is our own. All its passes and all programs agree, because its weights have one layout.
  private mutating func usesOwnInnerProduct(_ parameter: Int, samples: Int) throws -> Bool {
    let shape = graph.parameters[parameter].shape
    let form = try BlockedInnerProduct.weightForm(shape)
    let usesOwn = usesOwn("inner product \(samples)×\(shape[1]) to \(shape[0])", isFaster: true)
    if let known = knownLayout(parameter) { return known == form.layout }
    guard usesOwn else { return false }
    forms[parameter] = form
    return true
  }

  /// Sources and gradients of inner products are row-major.
  private func rows(_ value: Graph.ValueID, of element: Layout.Element) throws -> Layout {
    try .plain(graph[value].shape, of: element)
  }

  mutating func addInnerProduct(_ node: Graph.Node, _ hasBias: Bool) throws {
    let shape = graph.parameters[node.parameters[0]].shape
    let relu = appliesRelu(node.outputs[0])
    let samples = graph[node.inputs[0]].shape[0]
    if try usesOwnInnerProduct(node.parameters[0], samples: samples) {
      let source = try rows(node.inputs[0], of: precision.stored)
      // A loss takes floats.
      let isLogits = graph.logits == node.outputs[0]
      let result = try rows(node.outputs[0], of: isLogits ? .float32 : precision.stored)
      let arguments = ProductArguments(
        source: try fetch(node.inputs[0], as: source), weights: parameterLocation(node.parameters[0]),
        bias: hasBias ? parameterLocation(node.parameters[1]) : nil,
        output: isLogits ? make(node.outputs[0], result) : try makeStored(node.outputs[0], result), relu: relu != 0)
      let kernel = BlockedInnerProduct(
        CK_FORWARD, samples: samples, weights: shape, precision, makesFloats: isLogits, arguments)
      return emit(kernel, [source, result])
    }
    let source = try rows(node.inputs[0], of: precision.computed)
    let result = try rows(node.outputs[0], of: precision.computed)
    let input = try fetch(node.inputs[0], as: source)
    let weights = try Layout.plain(shape, of: precision.computed)
    let bias = hasBias ? try Layout.plain(graph.parameters[node.parameters[1]].shape) : nil
    let kernel = try Kernel(
      odn_inner_product_forward(mode, source.pointer, weights.pointer, bias?.pointer, result.pointer, relu),
      "inner product")
    var bindings = [
      (ODN_SRC, input), (ODN_WEIGHTS, try parameter(node.parameters[0], .plain(shape), as: weights)),
      (ODN_DST, try makeStored(node.outputs[0], result)),
    ]
    if hasBias { bindings.append((ODN_BIAS, parameterLocation(node.parameters[1]))) }
    try emit(kernel, bindings, [source, weights, result])
  }

  mutating func addInnerProductBackwardData(_ node: Graph.Node) throws {
    let shape = graph.parameters[node.parameters[0]].shape
    let samples = graph[node.inputs[0]].shape[0]
    if try usesOwnInnerProduct(node.parameters[0], samples: samples) {
      let dx = try rows(node.outputs[0], of: precision.stored)
      let dy = try rows(node.inputs[0], of: precision.stored)
      let arguments = ProductArguments(
        weights: parameterLocation(node.parameters[0]), diffResult: try fetch(node.inputs[0], as: dy),
        output: make(node.outputs[0], dx))
      let kernel = BlockedInnerProduct(CK_BACKWARD_DATA, samples: samples, weights: shape, precision, arguments)
      return emit(kernel, [dx, dy])
    }
    let dx = try rows(node.outputs[0], of: precision.computed)
    let dy = try rows(node.inputs[0], of: precision.computed)
    let gradient = try fetch(node.inputs[0], as: dy)
    let weights = try Layout.plain(shape, of: precision.computed)
    let kernel = try Kernel(
      odn_inner_product_backward_data(dx.pointer, weights.pointer, dy.pointer), "inner product backward")
    let bindings = [
      (ODN_DIFF_DST, gradient), (ODN_WEIGHTS, try parameter(node.parameters[0], .plain(shape), as: weights)),
    ]
    try emit(kernel, bindings + [(ODN_DIFF_SRC, try store(node.outputs[0], dx))], [dx, weights, dy])
  }

  mutating func addInnerProductBackwardWeights(_ node: Graph.Node, _ hasBias: Bool) throws {
    let shape = graph.parameters[node.parameters[0]].shape
    let samples = graph[node.inputs[0]].shape[0]
    let usesOwn = try usesOwnInnerProduct(node.parameters[0], samples: samples)
    let x = try rows(node.inputs[0], of: usesOwn ? precision.stored : precision.computed)
    let dy = try rows(node.inputs[1], of: usesOwn ? precision.stored : precision.computed)
    let source = try fetch(node.inputs[0], as: x)
    let gradient = try fetch(node.inputs[1], as: dy)
    if usesOwn {
      let arguments = ProductArguments(
        source: source, diffResult: gradient, diffBias: hasBias ? gradientLocation(node.parameters[1]) : nil,
        output: gradientLocation(node.parameters[0]))
      let kernel = BlockedInnerProduct(CK_BACKWARD_WEIGHTS, samples: samples, weights: shape, precision, arguments)
      return emit(kernel, [x, dy])
    }
    let weights = try Layout.plain(shape)
    let bias = hasBias ? try Layout.plain(graph.parameters[node.parameters[1]].shape) : nil
    let kernel = try Kernel(
      odn_inner_product_backward_weights(x.pointer, weights.pointer, bias?.pointer, dy.pointer),
      "inner product backward")
    var bindings = [
      (ODN_SRC, source), (ODN_DIFF_DST, gradient), (ODN_DIFF_WEIGHTS, gradientLocation(node.parameters[0])),
    ]
    if hasBias { bindings.append((ODN_DIFF_BIAS, gradientLocation(node.parameters[1]))) }
    try emit(kernel, bindings, [x, weights, dy])
  }
}
