import COneDNN
import Networks

/// One rule for each operation.
extension Planner {
  mutating func add(_ node: Graph.Node) throws {
    switch node.operation {
    case .input(let index): alias(node.outputs[0], try .plain(graph[node.outputs[0]].shape), .external(index))
    case .convolution(let window, let groups, let hasBias): try addConvolution(node, window, groups, hasBias)
    case .convolutionBackwardData(let window, let groups): try addConvolutionBackwardData(node, window, groups)
    case .convolutionBackwardWeights(let window, let groups, let hasBias):
      try addConvolutionBackwardWeights(node, window, groups, hasBias)
    case .innerProduct(let hasBias): try addInnerProduct(node, hasBias)
    case .innerProductBackwardData: try addInnerProductBackwardData(node)
    case .innerProductBackwardWeights(let hasBias): try addInnerProductBackwardWeights(node, hasBias)
    case .maxPool(let window): try addPool(node, .max, window)
    case .averagePool(let window): try addPool(node, .average, window)
    case .globalAveragePool: try addPool(node, .average, wholeImage(node.inputs[0]))
    case .maxPoolBackward(let window): try addPoolBackward(node, .max, window)
    case .averagePoolBackward(let window): try addPoolBackward(node, .average, window)
    case .globalAveragePoolBackward: try addPoolBackward(node, .average, wholeImage(node.outputs[0]))
    case .batchNorm(let epsilon): try addBatchNorm(node, epsilon)
    case .batchNormInference(let epsilon): try addBatchNormInference(node, epsilon)
    case .batchNormBackward(let epsilon): try addBatchNormBackward(node, epsilon)
    case .fusedBatchNorm(let fusion): try addFusedBatchNorm(node, fusion, .computed)
    case .fusedBatchNormAgain(let fusion): try addFusedBatchNorm(node, fusion, .kept)
    case .fusedBatchNormInference(let fusion): try addFusedBatchNorm(node, fusion, .running)
    case .fusedBatchNormBackward(let fusion): try addFusedBatchNormBackward(node, fusion)
    case .batchNormStatistics: addBatchNormStatistics(node)
    case .relu: try addRelu(node, ODN_RELU)
    case .relu6: try addRelu(node, ODN_RELU6)
    case .reluBackward: try addReluBackward(node, ODN_RELU)
    case .relu6Backward: try addReluBackward(node, ODN_RELU6)
    case .dropout(let probability), .dropoutBackward(let probability): try addDropout(node, probability)
    case .add: try addSum(node)
    case .concatenate: try addConcatenation(node)
    case .sliceChannels(let offset): try addSlice(node, offset)
    case .padChannels(let offset): try addPadding(node, offset)
    case .shuffleChannels(let groups): try addShuffle(node, groups)
    case .gatherChannels(let channels): try addGathering(node, channels)
    case .reshape: try addReshape(node)
    case .softmaxCrossEntropy(let smoothing): try addLoss(node, smoothing, gradient: node.outputs[0])
    case .softmaxCrossEntropyLoss: try addLoss(node, 0, gradient: nil)
    }
  }

  var mode: odn_mode { isTraining ? ODN_TRAINING : ODN_INFERENCE }

  // MARK: batch normalisation

  /// The layout in which batch norm takes a value: its own, unless only plain loops know that one while generated code
  /// knows larger blocks of channels. So it is for the blocks of 4 and 8 that convolutions with narrow groups make.
  private func normalizable(_ value: Graph.ValueID, _ epsilon: Float) throws -> Layout {
    func rank(_ layout: Layout) throws -> Int {
      try Kernel(odn_batch_norm_forward(ODN_TRAINING, layout.pointer, epsilon), "batch norm").rank
    }
    let own = try operand(value)
    let extents = graph[value].shape
    guard try [4, 8].contains(where: { own == (try .channelBlocks(extents, of: $0).of(own.element)) }),
      try rank(own) > 0
    else {
      return own
    }
    for channels in [16, 8] {
      let wider = try Layout.channelBlocks(extents, of: channels).of(own.element)
      if try rank(wider) == 0 { return wider }
    }
    return own
  }

  private mutating func addBatchNorm(_ node: Graph.Node, _ epsilon: Float) throws {
    let source = try normalizable(node.inputs[0], epsilon)
    let kernel = try Kernel(odn_batch_norm_forward(ODN_TRAINING, source.pointer, epsilon), "batch norm")
    let channels = try Layout.plain(graph[node.outputs[1]].shape)
    try emit(
      kernel,
      [
        (ODN_SRC, try fetch(node.inputs[0], as: source)), (ODN_DST, try store(node.outputs[0], source)),
        (ODN_MEAN, make(node.outputs[1], channels)), (ODN_VARIANCE, make(node.outputs[2], channels)),
        (ODN_SCALE, parameterLocation(node.parameters[0])), (ODN_SHIFT, parameterLocation(node.parameters[1])),
      ], [source])
  }

  private mutating func addBatchNormInference(_ node: Graph.Node, _ epsilon: Float) throws {
    let source = try normalizable(node.inputs[0], epsilon)
    let kernel = try Kernel(odn_batch_norm_forward(ODN_INFERENCE, source.pointer, epsilon), "batch norm")
    let input = try fetch(node.inputs[0], as: source)
    try emit(
      kernel,
      [
        (ODN_SRC, input), (ODN_DST, try store(node.outputs[0], source, inPlaceOf: input)),
        (ODN_SCALE, parameterLocation(node.parameters[0])), (ODN_SHIFT, parameterLocation(node.parameters[1])),
        (ODN_MEAN, parameterLocation(node.parameters[2])), (ODN_VARIANCE, parameterLocation(node.parameters[3])),
      ], [source])
  }

  private mutating func addBatchNormBackward(_ node: Graph.Node, _ epsilon: Float) throws {
    let x = try normalizable(node.inputs[0], epsilon)
    let kernel = try Kernel(odn_batch_norm_backward(x.pointer, x.pointer, epsilon), "batch norm backward")
    let dy = try fetch(node.inputs[3], as: x)
    try emit(
      kernel,
      [
        (ODN_SRC, try fetch(node.inputs[0], as: x)), (ODN_MEAN, location(node.inputs[1])),
        (ODN_VARIANCE, location(node.inputs[2])), (ODN_DIFF_DST, dy),
        (ODN_DIFF_SRC, try store(node.outputs[0], x, inPlaceOf: dy)),
        (ODN_SCALE, parameterLocation(node.parameters[0])),
        (ODN_SHIFT, parameterLocation(node.parameters[1])),
        (ODN_DIFF_SCALE, gradientLocation(node.parameters[0])), (ODN_DIFF_SHIFT, gradientLocation(node.parameters[1])),
      ], [x])
  }

  private mutating func addBatchNormStatistics(_ node: Graph.Node) {
    let forward = graph.nodes.first { $0.outputs.contains(node.inputs[0]) }
    guard let forward else { preconditionFailure("statistics without a batch norm") }
    let shape = graph[forward.inputs[0]].shape
    emit(
      .statistics(
        mean: location(node.inputs[0]), variance: location(node.inputs[1]),
        toMean: gradientLocation(node.parameters[2]), toVariance: gradientLocation(node.parameters[3]),
        channels: shape[1], samples: shape[0] * shape[2] * shape[3]), "")
  }

  // MARK: element-wise

  private mutating func addRelu(_ node: Graph.Node, _ rectifier: odn_rectifier) throws {
    if isFused(node) { return }
    let source = try operand(node.inputs[0])
    let input = try fetch(node.inputs[0], as: source)
    let kernel = try Kernel(odn_relu_forward(mode, rectifier, source.pointer), "ReLU")
    try emit(kernel, [(ODN_SRC, input), (ODN_DST, try store(node.outputs[0], source, inPlaceOf: input))], [source])
  }

  private mutating func addReluBackward(_ node: Graph.Node, _ rectifier: odn_rectifier) throws {
    let y = try operand(node.inputs[0])
    let dy = try fetch(node.inputs[1], as: y)
    // Over one thread; a team would rather share the work.
    if rectifier == ODN_RELU && precision == .float32 && odn_threads() == 1 && choice.policy != .library {
      let result = location(node.inputs[0])
      let gradient = ReLUGradient(
        result: result, diffResult: dy, diffSource: make(node.outputs[0], y, inPlaceOf: dy), count: y.bytes / 4)
      return emit(gradient, [y])
    }
    let kernel = try Kernel(odn_relu_backward(rectifier, y.pointer, y.pointer), "ReLU backward")
    try emit(
      kernel,
      [
        (ODN_DST, try fetch(node.inputs[0], as: y)), (ODN_DIFF_DST, dy),
        (ODN_DIFF_SRC, try store(node.outputs[0], y, inPlaceOf: dy)),
      ],
      [y])
  }

  private mutating func addDropout(_ node: Graph.Node, _ probability: Float) throws {
    // Elements are numbered in the standard layout, so that is how they must lie.
    let shape = graph[node.inputs[0]].shape
    let plain = try Layout.plain(shape)
    let source = try fetch(node.inputs[0], as: plain)
    emit(
      .dropout(
        source: source, destination: try store(node.outputs[0], plain, inPlaceOf: source), samples: shape[0],
        features: shape[1...].reduce(1, *), layer: node.name, probability: probability), plain.text)
  }

  private mutating func addSum(_ node: Graph.Node) throws {
    let first = try operand(node.inputs[0])
    let a = try fetch(node.inputs[0], as: first)
    let b = try fetch(node.inputs[1], as: first)
    let kernel = try Kernel(odn_add(first.pointer, first.pointer, first.pointer), "add")
    try emit(
      kernel, [(ODN_SRC, a), (ODN_SRC_1, b), (ODN_DST, try store(node.outputs[0], first, inPlaceOf: a))], [first])
  }

  // MARK: loss

  private mutating func addLoss(_ node: Graph.Node, _ smoothing: Float, gradient: Graph.ValueID?) throws {
    let shape = graph[node.inputs[0]].shape
    let plain = try Layout.plain(shape)
    let logits = try fetch(node.inputs[0], as: plain)
    emit(
      .loss(
        logits: logits, gradient: gradient.map { make($0, plain, inPlaceOf: logits) }, samples: shape[0],
        classes: shape[1], smoothing: Double(smoothing)), "")
  }
}

extension odn_window {
  init(_ window: Window) {
    func pair(_ values: [Int]) -> (Int64, Int64) { (Int64(values[0]), Int64(values[1])) }
    self.init(kernel: pair(window.kernel), stride: pair(window.stride), padding: pair(window.padding))
  }
}
