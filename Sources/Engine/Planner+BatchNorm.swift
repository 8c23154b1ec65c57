import CKernels
import Networks

/// The rules for batch normalisations that have taken their neighbours along (`Graph.fused`). They are always our own
/// kernels, over images in blocks of channels; what lies otherwise is reordered.
extension Planner {
  private func shape(_ images: Graph.ValueID, _ fusion: BatchNormFusion) -> ck_batch_norm {
    let extents = graph[images].shape
    return ck_batch_norm(
      batch: extents[0], channels: extents[1], area: extents[2] * extents[3], epsilon: fusion.epsilon,
      storage: precision.storage)
  }

  private func blocks(_ value: Graph.ValueID) throws -> Layout {
    try .channelBlocks(graph[value].shape, of: Int(ck_block())).of(precision.stored)
  }

  /// Where mean and variance are.
  enum NormStatistics { case computed, kept, running }

  mutating func addFusedBatchNorm(
    _ node: Graph.Node, _ fusion: BatchNormFusion, _ statistics: NormStatistics
  ) throws {
    let x = node.inputs[0]
    let blocks = try blocks(x)
    let source = try fetch(x, as: blocks)
    let residual = fusion.adds ? try fetch(node.inputs[1], as: blocks) : nil
    let channels = try Layout.plain([graph[x].shape[1]])
    let (mean, variance) =
      switch statistics {
      case .computed: (make(node.outputs[1], channels), make(node.outputs[2], channels))
      case .kept: (location(node.inputs[node.inputs.count - 2]), location(node.inputs[node.inputs.count - 1]))
      case .running: (parameterLocation(node.parameters[2]), parameterLocation(node.parameters[3]))
      }
    // A residual that nobody reads later gives its memory to the result; so does a source, where there is no backward.
    let result =
      residual.map { make(node.outputs[0], blocks, inPlaceOf: $0) } ?? make(node.outputs[0], blocks, inPlaceOf: source)
    emit(
      BlockedBatchNorm(
        shape(x, fusion), fusion, isGiven: statistics != .computed, source: source, residual: residual,
        scale: parameterLocation(node.parameters[0]), shift: parameterLocation(node.parameters[1]), mean: mean,
        variance: variance, sourceStride: imageStride(x), result: result), [blocks])
  }

  mutating func addFusedBatchNormBackward(_ node: Graph.Node, _ fusion: BatchNormFusion) throws {
    let x = node.inputs[0]
    let own = layout(x)
    let blocks = try blocks(x)
    let source = try fetch(x, as: blocks)
    let gradient = try fetch(node.inputs[3], as: blocks)
    let hasResidual = node.outputs.count > 1
    let result = hasResidual ? try fetch(node.inputs[4], as: blocks) : nil
    // With a residual both gradients are results; what comes in can only give its memory to one of them.
    let diffResidual = hasResidual ? make(node.outputs[1], blocks, inPlaceOf: gradient) : nil
    let isInPlace = own == blocks
    let earlier = fusion.accumulates ? node.inputs.last : nil
    let earlierPlace = try earlier.map { try fetch($0, as: blocks) }
    let diffSource =
      if !isInPlace {
        temporary(bytes: blocks.bytes)
      } else if let earlier {
        makeSum(node.outputs[0], blocks, onto: earlier)
      } else {
        hasResidual ? make(node.outputs[0], blocks) : make(node.outputs[0], blocks, inPlaceOf: gradient)
      }
    emit(
      BlockedBatchNormBackward(
        shape(x, fusion), fusion, source: source, result: result, diffResult: gradient,
        scale: parameterLocation(node.parameters[0]), shift: parameterLocation(node.parameters[1]),
        mean: location(node.inputs[1]), variance: location(node.inputs[2]), earlier: earlierPlace,
        strides: (
          source: imageStride(x), earlier: earlier.map { imageStride($0) } ?? 0,
          diffSource: imageStride(node.outputs[0])
        ), diffSource: diffSource,
        diffResidual: diffResidual, diffScale: gradientLocation(node.parameters[0]),
        diffShift: gradientLocation(node.parameters[1])), [blocks])
    if !isInPlace { try emitReorder(diffSource, blocks, make(node.outputs[0], own), own) }
  }
}
