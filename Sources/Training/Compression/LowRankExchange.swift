import Collectives
import Compression
import Engine
import MPI

/// PowerSGD's two sums of thin factors, each a small all-reduce in ring order.
final class LowRankExchange: EncodedExchange {
  private let codec: PowerSGD
  private let context: EncodingContext
  private let lefts: FactorSum
  private let rights: FactorSum
  let coding = CodingTime()

  init(_ codec: PowerSGD, _ context: EncodingContext) throws {
    (self.codec, self.context) = (codec, context)
    let tensors = context.members.map(\.tensor)
    lefts = try FactorSum(tensors.map { codec.leftCount(of: $0) }, context.ranks)
    rights = try FactorSum(tensors.map { codec.rightCount(of: $0) }, context.ranks)
  }

  var traffic: MethodTraffic {
    MethodTraffic(
      sent: lefts.traffic.sent + rights.traffic.sent, modelled: lefts.traffic.modelled + rights.traffic.modelled)
  }

  func run(_ moment: CompressedSum.Moment) throws {
    let all = context.moment(moment, shard: nil)
    coding.measure {
      for (place, member) in context.members.enumerated() {
        let tensor = member.tensor
        let start = start(of: tensor)
        codec.prepare(start: start, of: tensor, at: all)
        for (index, shard) in context.hosted.enumerated() {
          codec.project(
            context.contribution(index, tensor, decays: false, moment).gradient, of: tensor,
            residual: context.slot(shard, 0, tensor), start: start, left: lefts.own(index, place))
        }
      }
    }
    try lefts.run()
    coding.measure {
      for (place, member) in context.members.enumerated() {
        let tensor = member.tensor
        codec.orthogonalise(left: lefts.sum(place), of: tensor)
        for (index, shard) in context.hosted.enumerated() {
          let residual = context.slot(shard, 0, tensor)
          codec.projectBack(of: tensor, residual: residual, left: lefts.sum(place), right: rights.own(index, place))
          codec.settle(of: tensor, residual: residual, left: lefts.sum(place), right: rights.own(index, place))
        }
      }
    }
    try rights.run()
    coding.measure {
      for (place, member) in context.members.enumerated() {
        let tensor = member.tensor
        codec.decode(
          of: tensor, left: lefts.sum(place), right: rights.sum(place),
          to: context.sum.pointer + tensor.elements.lowerBound)
        start(of: tensor).update(from: rights.sum(place), count: codec.rightCount(of: tensor))
      }
    }
  }

  /// Where the power iteration starts: what all shards keep alike.
  private func start(of tensor: CodecTensor) -> UnsafeMutablePointer<Float> {
    context.state.common[0, 0].pointer + tensor.elements.lowerBound
  }
}

/// The sum over all shards of one small vector, which has a place for each tensor.
final class FactorSum {
  private let starts: [Int]
  private let contributions: [FloatBuffer]
  private let result: FloatBuffer
  private let reducer: GradientReducer
  private var sums = 0
  private let bytes: Int

  /// Collective.
  init(_ counts: [Int], _ ranks: ShardRanks) throws {
    // Places begin at cache lines.
    var starts = [0]
    for count in counts { starts.append((starts[starts.count - 1] + count + 15) / 16 * 16) }
    self.starts = starts
    let count = starts[starts.count - 1]
    contributions = try ranks.hosted.map { _ in try FloatBuffer(count: max(count, 1)) }
    result = try FloatBuffer(count: max(count, 1))
    reducer = try GradientReducer(
      communicator: ranks.world, placement: ranks.placement, buckets: [0..<count], algorithm: .ring,
      contributions: contributions.map { UnsafePointer($0.pointer) }, result: result.pointer)
    bytes = reducer.modelledBytes
  }

  var count: Int { starts[starts.count - 1] }

  /// What a hosted shard contributes to a tensor.
  func own(_ index: Int, _ place: Int) -> UnsafeMutablePointer<Float> { contributions[index].pointer + starts[place] }

  func sum(_ place: Int) -> UnsafeMutablePointer<Float> { result.pointer + starts[place] }

  /// Collective.
  func run() throws {
    guard count > 0 else { return }
    sums += 1
    try reducer.finish()
  }

  var traffic: MethodTraffic { MethodTraffic(sent: reducer.traffic.bytes, modelled: sums * bytes) }
}
