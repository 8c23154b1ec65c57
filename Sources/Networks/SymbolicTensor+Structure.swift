/// Sums, and what moves elements without computing.
extension SymbolicTensor {
  public static func + (a: SymbolicTensor, b: SymbolicTensor) -> SymbolicTensor {
    precondition(a.shape == b.shape, "cannot add \(a.shape) and \(b.shape)")
    return a.apply(.add, name: a.trace.next("add"), to: [b], shape: a.shape)
  }

  /// Tensors of equal extents side by side along their channels.
  public static func concatenate(_ tensors: [SymbolicTensor]) -> SymbolicTensor {
    let first = tensors[0]
    for tensor in tensors {
      tensor.requireRank(4, "concatenation")
      precondition(
        tensor.shape[0] == first.shape[0] && tensor.shape[2...] == first.shape[2...],
        "cannot concatenate \(tensors.map(\.shape)) along the channels")
    }
    if tensors.count == 1 { return first }
    return first.apply(
      .concatenate, name: first.trace.next("concat"), to: Array(tensors.dropFirst()),
      shape: [first.shape[0], tensors.reduce(0) { $0 + $1.shape[1] }] + first.shape[2...])
  }

  /// The given channels: [n, c, h, w] → [n, channels.count, h, w].
  public func slice(channels: Range<Int>) -> SymbolicTensor {
    requireRank(4, "slice")
    precondition(
      !channels.isEmpty && channels.lowerBound >= 0 && channels.upperBound <= shape[1],
      "\(shape) has no channels \(channels)")
    if channels == 0..<shape[1] { return self }
    return apply(
      .sliceChannels(offset: channels.lowerBound), name: trace.next("slice"),
      shape: [shape[0], channels.count] + shape[2...])
  }

  /// Channels of zeros beside the tensor's own: [n, c, h, w] → [n, before + c + after, h, w].
  public func padChannels(before: Int = 0, after: Int = 0) -> SymbolicTensor {
    requireRank(4, "padding of channels")
    precondition(before >= 0 && after >= 0, "cannot pad by \(before) and \(after) channels")
    if before + after == 0 { return self }
    return apply(
      .padChannels(offset: before), name: trace.next("pad"),
      shape: [shape[0], before + shape[1] + after] + shape[2...])
  }

  /// Deals the channels of the groups out in turn: with two groups of three, channels 0 3 1 4 2 5.
  public func shuffleChannels(groups: Int) -> SymbolicTensor {
    requireRank(4, "channel shuffle")
    precondition(groups > 0 && shape[1] % groups == 0, "\(groups) groups do not divide the channels of \(shape)")
    return apply(.shuffleChannels(groups: groups), name: trace.next("shuffle"), shape: shape)
  }

  /// [n, c, h, w] → [n, c·h·w], channels outermost.
  public func flatten() -> SymbolicTensor {
    shape.count == 2 ? self : apply(.reshape, name: trace.next("flatten"), shape: [shape[0], shape[1...].reduce(1, *)])
  }
}
