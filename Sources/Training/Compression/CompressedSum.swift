import Collectives
import Compression
import Determinism
import Dispatch
import Engine
import MPI

/// The sum of all shards' gradients through a codec, which gives the bits of `InProcessSum` on any number of ranks, but that
/// what stays dense and PowerSGD's factors are added in ring order.
///
/// All but room for messages that grow is made before the first step. Contributions are read where the executor leaves them.
final class CompressedSum {
  /// One step.
  struct Moment {
    var step: Int
    var epoch: Int
    /// Of each hosted shard: what its gradient is multiplied with, and its part of the global batch.
    var factors: [Float]
    var parts: [Double]
  }

  let compression: GradientCompression
  /// What of the model is compressed.
  let tensors: CompressedTensors
  private let exchange: any EncodedExchange
  private let dense: DenseSum
  private let reorder: StandardReorder?
  /// The hosted shards' gradients and the sum, in the order that the codec wants.
  private let gradients: [FloatBuffer]
  private let sum: FloatBuffer
  private let vectors: RunVectors

  /// Collective.
  ///
  /// - Parameters:
  ///   - vectors: with the slots of `shardSlots` and `commonSlots`, and a sum of the rank's own.
  ///   - decays: whether weight decay is for an entry, where the codec takes over momentum.
  init(
    _ world: Communicator, _ placement: Placement, _ compression: GradientCompression,
    _ codec: GradientCompression.Codec, _ vectors: RunVectors, seed: UInt64, weightDecay: Double,
    decays: (ParameterLayout.Entry) -> Bool
  ) throws {
    precondition(vectors.sharing == nil, "a compressed sum is a whole vector")
    (self.compression, self.vectors) = (compression, vectors)
    let layout = vectors.state.layout
    tensors = CompressedTensors(layout, codec.codec, decays: decays)
    if codec.codec.wantsStandardLayout {
      reorder = try StandardReorder(tensors.entries)
      gradients = try vectors.shardGradients.map { _ in try FloatBuffer(count: layout.count) }
      sum = try FloatBuffer(count: layout.count)
    } else {
      reorder = nil
      gradients = vectors.shardGradients
      sum = vectors.gradient
    }
    let ranks = try ShardRanks(world, placement)
    let context = EncodingContext(
      ranks: ranks, members: tensors.compressed, gradients: gradients, sum: sum, state: vectors.state, seed: seed,
      weightDecay: weightDecay)
    exchange =
      switch codec {
      case .units(let codec): try UnitExchange(codec, context)
      case .messages(let codec): try MessageExchange(codec, context)
      case .lowRank(let codec): try LowRankExchange(codec, context)
      }
    dense = try DenseSum(tensors.dense, codec.codec as? DeepGradientCompression, context, vectors)
  }

  /// What each shard keeps for a codec: its own slots, and where finished sums are encoded those of the sums of its units.
  static func shardSlots(_ codec: GradientCompression.Codec) -> [ShardSlot] {
    let isStandard = codec.codec.wantsStandardLayout
    var names = codec.codec.slots
    if case .units(let units) = codec { names += units.sumSlots.map { "sum-\($0)" } }
    return names.map { ShardSlot(name: $0, isStandard: isStandard) }
  }

  /// What all shards keep alike.
  static func commonSlots(_ codec: GradientCompression.Codec) -> [ShardSlot] {
    guard case .lowRank(let codec) = codec else { return [] }
    return codec.sharedSlots.map { ShardSlot(name: $0, isStandard: true) }
  }

  /// Puts the sum into the rank's gradient. Collective.
  func run(_ moment: Moment) throws {
    if let reorder {
      for (gradient, standard) in zip(vectors.shardGradients, gradients) {
        try reorder.toStandard(gradient.pointer, standard.pointer)
      }
    }
    try exchange.run(moment)
    if let reorder { try reorder.fromStandard(sum.pointer, vectors.gradient.pointer) }
    try dense.run(moment)
  }

  /// "top-k:0.01 · 3,271,136 of 3,274,634 parameters compressed".
  var text: String {
    let count = tensors.compressed.reduce(0) { $0 + $1.tensor.count }
    let rest = tensors.dense.reduce(0) { $0 + $1.tensor.count }
    return "\(compression) · \(grouped(count)) elements of \(self.count(tensors.compressed.count)) compressed, "
      + "\(grouped(rest)) summed as they are"
  }

  private func count(_ tensors: Int) -> String { tensors == 1 ? "1 tensor" : "\(tensors) tensors" }

  /// Bytes sent since `init`.
  var traffic: MethodTraffic {
    MethodTraffic(
      sent: exchange.traffic.sent + dense.traffic.sent, modelled: exchange.traffic.modelled + dense.traffic.modelled)
  }
  /// Nanoseconds of encoding and decoding since `init`.
  var codingNanoseconds: UInt64 { exchange.coding.nanoseconds }
}

extension GradientCompression.Codec {
  /// Bytes of a shard's encodings of all tensors, in the epoch in which they are longest, and whether each rank gets those of
  /// all shards.
  func longestEncodings(of tensors: [CodecTensor]) -> (bytes: Int, isGathered: Bool) {
    switch self {
    case .units(let codec):
      (tensors.reduce(0) { $0 + codec.bytes(of: 0..<codec.unitCount(of: $1), in: $1) }, false)
    case .messages(let codec): (codec.mostBytes(of: tensors), true)
    // Factors are small beside all else.
    case .lowRank: (0, false)
    }
  }
}

extension MessageCodec {
  /// Of messages of all tensors; the first epoch sends most, where a codec warms up.
  func mostBytes(of tensors: [CodecTensor]) -> Int {
    tensors.reduce(0) { $0 + max(mostBytes(of: $1, epoch: 0), mostBytes(of: $1, epoch: .max >> 32)) }
  }
}

/// How encodings travel between ranks.
protocol EncodedExchange: AnyObject {
  /// Puts the sum of the compressed tensors where the context says. Collective.
  func run(_ moment: CompressedSum.Moment) throws
  var traffic: MethodTraffic { get }
  var coding: CodingTime { get }
}

/// The time of encoding and decoding.
final class CodingTime {
  private(set) var nanoseconds: UInt64 = 0

  func measure(_ body: () -> Void) {
    let begin = DispatchTime.now().uptimeNanoseconds
    body()
    nanoseconds += DispatchTime.now().uptimeNanoseconds - begin
  }
}

/// What exchanges work with.
struct EncodingContext {
  let ranks: ShardRanks
  let members: [CompressedTensors.Member]
  /// Of the hosted shards, in the order that the codec wants.
  let gradients: [FloatBuffer]
  let sum: FloatBuffer
  let state: TrainingState
  let seed: UInt64
  let weightDecay: Double

  var hosted: Range<Int> { ranks.hosted }

  /// A shard's slot at a tensor.
  func slot(_ shard: Int, _ slot: Int, _ tensor: CodecTensor) -> UnsafeMutablePointer<Float> {
    state.shards[shard, slot].pointer + tensor.elements.lowerBound
  }

  func slots(of shard: Int, _ count: Int, _ tensor: CodecTensor) -> CodecSlots {
    CodecSlots(count > 0 ? slot(shard, 0, tensor) : nil, count > 1 ? slot(shard, 1, tensor) : nil)
  }

  /// What a hosted shard has to send of a tensor.
  func contribution(
    _ index: Int, _ tensor: CodecTensor, decays: Bool, _ moment: CompressedSum.Moment,
    gradients: [FloatBuffer]? = nil
  ) -> Contribution {
    let first = tensor.elements.lowerBound
    return Contribution(
      gradient: (gradients ?? self.gradients)[index].pointer + first,
      parameters: state.parameters.pointer + first, factor: moment.factors[index],
      decay: decays ? Float(weightDecay * moment.parts[index]) : 0)
  }

  func moment(_ moment: CompressedSum.Moment, shard: Int?) -> CodecMoment {
    CodecMoment(seed: seed, epoch: moment.epoch, step: moment.step, shard: shard)
  }
}

/// Who hosts which shards, and a communicator for encodings.
struct ShardRanks {
  let world: Communicator
  let placement: Placement

  init(_ world: Communicator, _ placement: Placement) throws {
    self.world = try world.duplicate()
    self.placement = placement
  }

  var hosted: Range<Int> { placement.shards(of: world.rank) }

  /// The units of a tensor that a rank's shards own: shard s owns part s of them.
  func units(of rank: Int, in count: Int) -> Range<Int> {
    let shards = placement.shards(of: rank)
    guard let first = shards.first, let last = shards.last else { return 0..<0 }
    return units(ofShard: first, in: count).lowerBound..<units(ofShard: last, in: count).upperBound
  }

  func units(ofShard shard: Int, in count: Int) -> Range<Int> { part(shard, of: placement.shards, in: count) }
}

/// Ranges of so many elements, one behind another: where ranks' parts stand in what they gather.
func consecutiveRanges(counts: [Int]) -> [Range<Int>] {
  var end = 0
  return counts.map { count in
    defer { end += count }
    return end..<end + count
  }
}
