import Collectives
import Compression
import Engine
import MPI

/// All shards' messages go to all ranks, who add them in ascending shard index.
///
/// A shard's messages stand one behind another in the order of tensors; their lengths are exchanged first.
final class MessageExchange: EncodedExchange {
  private let codec: any MessageCodec
  private let context: EncodingContext
  /// Of every message, a shard's one after another.
  private var lengths: [Int32]
  private let own: ByteBuffer
  /// Grows to what has arrived.
  private var all = ByteBuffer(count: 0)
  private let scratch: ByteBuffer
  private(set) var traffic = MethodTraffic()
  let coding = CodingTime()

  init(_ codec: any MessageCodec, _ context: EncodingContext) throws {
    (self.codec, self.context) = (codec, context)
    let tensors = context.members.map(\.tensor)
    lengths = Array(repeating: 0, count: context.ranks.placement.shards * tensors.count)
    own = ByteBuffer(count: context.hosted.count * codec.mostBytes(of: tensors))
    scratch = ByteBuffer(count: tensors.map { codec.scratchBytes(for: $0) }.max() ?? 0)
  }

  func run(_ moment: CompressedSum.Moment) throws {
    let (world, placement) = (context.ranks.world, context.ranks.placement)
    let count = context.members.count
    var end = 0
    coding.measure {
      for (index, shard) in context.hosted.enumerated() {
        let own = context.moment(moment, shard: shard)
        for (place, member) in context.members.enumerated() {
          let length = codec.encode(
            context.contribution(index, member.tensor, decays: member.decays, moment), of: member.tensor,
            slots: context.slots(of: shard, codec.slots.count, member.tensor), at: own,
            into: self.own.pointer + end, scratch: scratch.pointer)
          lengths[shard * count + place] = Int32(length)
          // Messages begin at multiples of 4.
          end += (length + 3) / 4 * 4
        }
      }
    }
    try world.allGatherShardValues(&lengths, placement: placement)
    let parts = consecutiveRanges(
      counts: (0..<world.size).map { rank in
        let shards = placement.shards(of: rank)
        return lengths[shards.lowerBound * count..<shards.upperBound * count].reduce(0) {
          $0 + (Int($1) + 3) / 4 * 4
        }
      })
    let total = parts.last?.upperBound ?? 0
    if all.count < total { all = ByteBuffer(count: total + total / 4) }
    (all.pointer + parts[world.rank].lowerBound).copyMemory(from: own.pointer, byteCount: end)
    try world.allGather(inPlace: UnsafeMutableBufferPointer(start: all.bytes, count: total), parts: parts)
    traffic.sent += (world.size - 1) * end
    let longest = (0..<placement.shards).map { shard in
      lengths[shard * count..<(shard + 1) * count].reduce(0) { $0 + Int($1) }
    }.max()
    traffic.modelled += (placement.shards - 1) * (longest ?? 0)
    coding.measure { addAll(moment) }
  }

  private func addAll(_ moment: CompressedSum.Moment) {
    for member in context.members {
      (context.sum.pointer + member.tensor.elements.lowerBound).update(repeating: 0, count: member.tensor.count)
    }
    var from = UnsafeRawPointer(all.pointer)
    for shard in 0..<context.ranks.placement.shards {
      let moment = context.moment(moment, shard: shard)
      for (place, member) in context.members.enumerated() {
        let length = Int(lengths[shard * context.members.count + place])
        codec.add(
          UnsafeRawBufferPointer(start: from, count: length), of: member.tensor, at: moment,
          to: context.sum.pointer + member.tensor.elements.lowerBound)
        from += (length + 3) / 4 * 4
      }
    }
  }
}
