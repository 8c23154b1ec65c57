import Collectives
import Compression
import Engine
import MPI

/// Units go to the ranks of the shards that own them, are added there in ascending shard index, encoded once more, and gathered.
///
///     encode  each hosted shard's units, for each rank in turn
///     send    to each rank what its shards own
///     add     all shards' encodings of what is owned here
///     encode  the finished sums
///     gather  them
///     decode  all
final class UnitExchange: EncodedExchange {
  private let codec: any UnitCodec
  private let context: EncodingContext
  private let counts: [Int]
  /// Of each rank: bytes of a shard's encoding of the units that it owns.
  private let ownedBytes: [Int]
  /// Encodings of hosted shards for all ranks, one rank after another, then arrivals, then finished sums.
  private let outgoing: ByteBuffer
  private let incoming: ByteBuffer
  private let finished: ByteBuffer
  private var requests: RequestPool
  private(set) var traffic = MethodTraffic()
  /// Of one exchange.
  private let modelled: Int
  let coding = CodingTime()

  init(_ codec: any UnitCodec, _ context: EncodingContext) throws {
    (self.codec, self.context) = (codec, context)
    let ranks = context.ranks
    let size = ranks.world.size
    let counts = context.members.map { codec.unitCount(of: $0.tensor) }
    self.counts = counts
    ownedBytes = (0..<size).map { rank in
      zip(context.members, counts).reduce(0) {
        $0 + codec.bytes(of: ranks.units(of: rank, in: $1.1), in: $1.0.tensor)
      }
    }
    let all = ownedBytes.reduce(0, +)
    let shards = ranks.placement.shards
    // Each sends the others' units to their owners, and the sums of its own to all.
    modelled =
      (0..<shards).map { shard in
        let own = zip(context.members, counts).reduce(0) {
          $0 + codec.bytes(of: ranks.units(ofShard: shard, in: $1.1), in: $1.0.tensor)
        }
        return all - own + (shards - 1) * own
      }.max() ?? 0
    outgoing = ByteBuffer(count: context.hosted.count * all)
    incoming = ByteBuffer(count: ranks.placement.shards * ownedBytes[ranks.world.rank])
    finished = ByteBuffer(count: all)
    requests = RequestPool(capacity: 2 * size)
  }

  func run(_ moment: CompressedSum.Moment) throws {
    let ranks = context.ranks
    let (world, placement) = (ranks.world, ranks.placement)
    // Where the encodings for a rank begin, and those from it.
    var starts = [0]
    for rank in 0..<world.size { starts.append(starts[rank] + context.hosted.count * ownedBytes[rank]) }
    let own = ownedBytes[world.rank]
    coding.measure {
      for rank in 0..<world.size {
        var to = outgoing.pointer + starts[rank]
        for (index, shard) in context.hosted.enumerated() {
          for (member, count) in zip(context.members, counts) {
            let units = ranks.units(of: rank, in: count)
            let bytes = codec.bytes(of: units, in: member.tensor)
            if bytes > 0 {
              codec.encode(
                units, of: member.tensor,
                gradient: context.contribution(index, member.tensor, decays: false, moment).gradient,
                residual: codec.slots.isEmpty ? nil : context.slot(shard, 0, member.tensor), into: to)
            }
            to += bytes
          }
        }
      }
    }
    for rank in 0..<world.size where rank != world.rank {
      let shards = placement.shards(of: rank)
      try requests.receive(
        incoming.bytes + shards.lowerBound * own, count: shards.count * own, from: rank, on: world)
      let count = context.hosted.count * ownedBytes[rank]
      try requests.send(UnsafePointer(outgoing.bytes + starts[rank]), count: count, to: rank, on: world)
      traffic.sent += count
    }
    (incoming.pointer + context.hosted.lowerBound * own).copyMemory(
      from: outgoing.pointer + starts[world.rank], byteCount: context.hosted.count * own)
    try requests.waitAll()
    let first = ownedBytes[..<world.rank].reduce(0, +)
    coding.measure {
      addOwned(own)
      encodeFinished(at: finished.pointer + first)
    }
    try world.allGather(
      inPlace: UnsafeMutableBufferPointer(start: finished.bytes, count: finished.count),
      parts: consecutiveRanges(counts: ownedBytes))
    traffic.sent += (world.size - 1) * own
    traffic.modelled += modelled
    coding.measure { decodeFinished() }
  }

  /// Adds every shard's encoding of the units that are owned here.
  private func addOwned(_ own: Int) {
    let rank = context.ranks.world.rank
    for (member, count) in zip(context.members, counts) {
      let units = context.ranks.units(of: rank, in: count)
      let elements = codec.elements(of: units, in: member.tensor)
      (context.sum.pointer + member.tensor.elements.lowerBound + elements.lowerBound)
        .update(repeating: 0, count: elements.count)
    }
    for shard in 0..<context.ranks.placement.shards {
      var from = UnsafeRawPointer(incoming.pointer + shard * own)
      for (member, count) in zip(context.members, counts) {
        let units = context.ranks.units(of: rank, in: count)
        let bytes = codec.bytes(of: units, in: member.tensor)
        if bytes > 0 {
          codec.add(
            units, of: member.tensor, from: UnsafeRawBufferPointer(start: from, count: bytes),
            to: context.sum.pointer + member.tensor.elements.lowerBound)
        }
        from += bytes
      }
    }
  }

  /// Each hosted shard keeps what the encodings of its units' sums lack.
  private func encodeFinished(at start: UnsafeMutableRawPointer) {
    var to = start
    for (member, count) in zip(context.members, counts) {
      for shard in context.hosted {
        let units = context.ranks.units(ofShard: shard, in: count)
        let bytes = codec.bytes(of: units, in: member.tensor)
        if bytes > 0 {
          codec.encode(
            units, of: member.tensor, gradient: context.sum.pointer + member.tensor.elements.lowerBound,
            residual: codec.sumSlots.isEmpty ? nil : context.slot(shard, codec.slots.count, member.tensor), into: to)
        }
        to += bytes
      }
    }
  }

  private func decodeFinished() {
    var from = UnsafeRawPointer(finished.pointer)
    for rank in ownedBytes.indices {
      for (member, count) in zip(context.members, counts) {
        let units = context.ranks.units(of: rank, in: count)
        let bytes = codec.bytes(of: units, in: member.tensor)
        if bytes > 0 {
          codec.decode(
            units, of: member.tensor, from: UnsafeRawBufferPointer(start: from, count: bytes),
            to: context.sum.pointer + member.tensor.elements.lowerBound)
        }
        from += bytes
      }
    }
  }
}

/// Bytes at a cache line's beginning.
final class ByteBuffer {
  let count: Int
  let pointer: UnsafeMutableRawPointer

  init(count: Int) {
    self.count = count
    pointer = .allocate(byteCount: max(count, 64), alignment: 64)
    pointer.initializeMemory(as: UInt8.self, repeating: 0, count: max(count, 64))
  }

  deinit { pointer.deallocate() }

  var bytes: UnsafeMutablePointer<UInt8> { pointer.assumingMemoryBound(to: UInt8.self) }
}
