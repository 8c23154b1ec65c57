/// The specification of a compressed sum: S contributions through a codec, step after step, in one process.
///
/// Whatever carries the bytes between ranks must give the bits of this. Contributions, decoded ones and those of tensors that
/// stay dense alike, and PowerSGD's factors, are added in ascending shard index, to the first shard's or to zero as said below.
/// It allocates as it likes: what it has no need for is speed.
public struct InProcessSum {
  public let compression: GradientCompression
  public let tensors: [CodecTensor]
  public let shards: Int
  public let seed: UInt64
  private let codec: GradientCompression.Codec?
  /// Elements of the flat vectors.
  public let count: Int

  /// The slots of each shard, in the codec's order: `slots[shard][slot]`. As all that is kept, it may be set between steps.
  public var slots: [[[Float]]]
  /// What the owners of units keep of sums; empty for a codec without.
  public var sumResidual: [Float]
  /// Each tensor's start of PowerSGD.
  public var starts: [[Float]]
  /// Bytes that all shards sent in the last step, dense tensors and finished sums not counted.
  public private(set) var bytesSent = 0

  public init(
    _ compression: GradientCompression, _ tensors: [CodecTensor], shards: Int, seed: UInt64 = 42, momentum: Float = 0,
    isNesterov: Bool = false
  ) {
    precondition(shards > 0, "\(shards) shards")
    (self.compression, self.tensors, self.shards, self.seed) = (compression, tensors, shards, seed)
    codec = compression.codec(momentum: momentum, isNesterov: isNesterov)
    count = tensors.map(\.elements.upperBound).max() ?? 0
    let vectors = codec?.codec.slots.count ?? 0
    let zeros = [Float](repeating: 0, count: count)
    slots = Array(repeating: Array(repeating: zeros, count: vectors), count: shards)
    sumResidual = []
    starts = []
    switch codec {
    case .units(let codec) where !codec.sumSlots.isEmpty: sumResidual = zeros
    case .lowRank(let codec):
      starts = tensors.map { Array(repeating: 0, count: codec.compresses($0) ? codec.rightCount(of: $0) : 0) }
    default: break
    }
  }

  /// The compressed sum of all shards' gradients; elements that belong to no tensor are 0.
  /// - Parameters:
  ///   - gradients: a flat vector of each shard.
  ///   - factors: of each shard, where it clips its own gradient.
  ///   - decay: of the whole, of which each shard adds an equal part; for codecs that take over momentum.
  public mutating func sum(
    _ gradients: [[Float]], parameters: [Float]? = nil, factors: [Float]? = nil, decay: Float = 0, epoch: Int = 0,
    step: Int
  ) -> [Float] {
    precondition(gradients.count == shards && gradients.allSatisfy { $0.count == count }, "\(shards) gradients")
    var sum = [Float](repeating: 0, count: count)
    bytesSent = 0
    let moment = CodecMoment(seed: seed, epoch: epoch, step: step)
    let input = Input(gradients: gradients, parameters: parameters, factors: factors, decay: decay / Float(shards))
    for (index, tensor) in tensors.enumerated() {
      switch codec {
      case .units(let codec) where codec.compresses(tensor): add(tensor, codec, input, to: &sum)
      case .messages(let codec) where codec.compresses(tensor): add(tensor, codec, input, at: moment, to: &sum)
      case .lowRank(let codec) where codec.compresses(tensor):
        add(tensor, codec, input, start: index, at: moment, to: &sum)
      case .messages(let codec as DeepGradientCompression): addCorrected(tensor, codec, input, to: &sum)
      default: addDense(tensor, gradients, to: &sum)
      }
    }
    return sum
  }

  private struct Input {
    let gradients: [[Float]]
    let parameters: [Float]?
    let factors: [Float]?
    let decay: Float

    /// Runs a body with what a shard contributes to a tensor.
    func with<Result>(_ shard: Int, _ tensor: CodecTensor, _ body: (Contribution) -> Result) -> Result {
      let first = tensor.elements.lowerBound
      return gradients[shard].withUnsafeBufferPointer { gradient in
        (parameters ?? []).withUnsafeBufferPointer { parameters in
          body(
            Contribution(
              gradient: gradient.baseAddress! + first, parameters: parameters.baseAddress.map { $0 + first },
              factor: factors?[shard] ?? 1, decay: decay))
        }
      }
    }
  }

  // MARK: dense tensors

  private func addDense(_ tensor: CodecTensor, _ gradients: [[Float]], to sum: inout [Float]) {
    for gradient in gradients {
      for element in tensor.elements { sum[element] += gradient[element] }
    }
  }

  private mutating func addCorrected(
    _ tensor: CodecTensor, _ codec: DeepGradientCompression, _ input: Input, to sum: inout [Float]
  ) {
    var corrected = [Float](repeating: 0, count: tensor.count)
    for shard in 0..<shards {
      input.with(shard, tensor) { contribution in
        withSlots(of: shard, tensor) { codec.correct(contribution, of: tensor, slots: $0, into: &corrected) }
      }
      for (element, value) in zip(tensor.elements, corrected) { sum[element] += value }
    }
  }

  /// Runs a body with a shard's slots at a tensor.
  private mutating func withSlots<Result>(
    of shard: Int, _ tensor: CodecTensor, _ body: (CodecSlots) -> Result
  ) -> Result {
    let first = tensor.elements.lowerBound
    var vectors = slots[shard]
    defer { slots[shard] = vectors }
    switch vectors.count {
    case 0: return body(CodecSlots())
    case 1: return vectors[0].withUnsafeMutableBufferPointer { body(CodecSlots($0.baseAddress! + first)) }
    default:
      var (a, b) = (vectors[0], vectors[1])
      defer { vectors = [a, b] }
      return a.withUnsafeMutableBufferPointer { a in
        b.withUnsafeMutableBufferPointer { b in body(CodecSlots(a.baseAddress! + first, b.baseAddress! + first)) }
      }
    }
  }

  // MARK: units

  private mutating func add(_ tensor: CodecTensor, _ codec: any UnitCodec, _ input: Input, to sum: inout [Float]) {
    let units = 0..<codec.unitCount(of: tensor)
    let first = tensor.elements.lowerBound
    var bytes = [UInt8](repeating: 0, count: codec.bytes(of: units, in: tensor))
    for shard in 0..<shards {
      input.with(shard, tensor) { contribution in
        withSlots(of: shard, tensor) { slots in
          bytes.withUnsafeMutableBytes {
            guard let to = $0.baseAddress else { return }
            codec.encode(units, of: tensor, gradient: contribution.gradient, residual: slots.first, into: to)
          }
        }
      }
      sum.withUnsafeMutableBufferPointer { sum in
        bytes.withUnsafeBytes { codec.add(units, of: tensor, from: $0, to: sum.baseAddress! + first) }
      }
      bytesSent += bytes.count
    }
    // The finished sum, in the same way.
    sum.withUnsafeMutableBufferPointer { sum in
      sumResidual.withUnsafeMutableBufferPointer { residual in
        let residual = codec.sumSlots.isEmpty ? nil : residual.baseAddress.map { $0 + first }
        bytes.withUnsafeMutableBytes {
          guard let to = $0.baseAddress else { return }
          codec.encode(units, of: tensor, gradient: sum.baseAddress! + first, residual: residual, into: to)
        }
      }
      bytes.withUnsafeBytes { codec.decode(units, of: tensor, from: $0, to: sum.baseAddress! + first) }
    }
  }

  // MARK: messages

  private mutating func add(
    _ tensor: CodecTensor, _ codec: any MessageCodec, _ input: Input, at moment: CodecMoment, to sum: inout [Float]
  ) {
    let most = codec.mostBytes(of: tensor, epoch: moment.epoch)
    let message = UnsafeMutableRawPointer.allocate(byteCount: max(most, 4), alignment: 4)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(codec.scratchBytes(for: tensor), 4), alignment: 4)
    defer {
      message.deallocate()
      scratch.deallocate()
    }
    for shard in 0..<shards {
      let own = moment.of(shard: shard)
      let length = input.with(shard, tensor) { contribution in
        withSlots(of: shard, tensor) {
          codec.encode(contribution, of: tensor, slots: $0, at: own, into: message, scratch: scratch)
        }
      }
      precondition(length <= most, "a message of \(tensor.name) has \(length) bytes, at most \(most)")
      sum.withUnsafeMutableBufferPointer {
        codec.add(
          UnsafeRawBufferPointer(start: message, count: length), of: tensor, at: own,
          to: $0.baseAddress! + tensor.elements.lowerBound)
      }
      bytesSent += length
    }
  }

  // MARK: PowerSGD

  private mutating func add(
    _ tensor: CodecTensor, _ codec: PowerSGD, _ input: Input, start index: Int, at moment: CodecMoment,
    to sum: inout [Float]
  ) {
    codec.prepare(start: &starts[index], of: tensor, at: moment)
    var left = [Float](repeating: 0, count: codec.leftCount(of: tensor))
    var right = [Float](repeating: 0, count: codec.rightCount(of: tensor))
    var (own, ownRights) = (left, [[Float]]())
    let start = starts[index]
    for shard in 0..<shards {
      input.with(shard, tensor) { contribution in
        withSlots(of: shard, tensor) {
          codec.project(
            contribution.gradient, of: tensor, residual: $0.residual, start: start, left: &own)
        }
      }
      for element in own.indices { left[element] += own[element] }
      bytesSent += 4 * (left.count + right.count)
    }
    codec.orthogonalise(left: &left, of: tensor)
    for shard in 0..<shards {
      var own = right.map { _ in Float(0) }
      withSlots(of: shard, tensor) { codec.projectBack(of: tensor, residual: $0.residual, left: left, right: &own) }
      ownRights.append(own)
    }
    for own in ownRights {
      for element in own.indices { right[element] += own[element] }
    }
    for shard in 0..<shards {
      withSlots(of: shard, tensor) {
        codec.settle(of: tensor, residual: $0.residual, left: left, right: ownRights[shard])
      }
    }
    sum.withUnsafeMutableBufferPointer {
      codec.decode(of: tensor, left: left, right: right, to: $0.baseAddress! + tensor.elements.lowerBound)
    }
    starts[index] = right
  }
}
