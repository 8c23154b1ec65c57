/// Adds a rank's part of each bucket straight from the gradients of all shards, which lie in the node's memory.
///
/// Nothing is sent: a rank waits until all have made their contributions, then adds those to the chunks that it owns in the
/// order asked for. The sums of a node lie in one vector, complete when all ranks are done.
final class SharedMemoryTransport: ReductionTransport {
  private let memory: SharedVectors
  private let contributions: [UnsafePointer<Float>]
  private let sum: UnsafeMutablePointer<Float>
  private let schedules: [Schedule]
  private let starts: [Int]
  private let sums: [[LocalSum]]
  private(set) var traffic = Traffic()

  /// - Parameter memory: its first common vector takes the sums.
  init(_ memory: SharedVectors, order: ReductionOrder, buckets: [Range<Int>]) {
    self.memory = memory
    let placement = memory.placement
    contributions = (0..<placement.shards).map { UnsafePointer(memory.vector(ofShard: $0)) }
    sum = memory.commonVector(0)
    starts = buckets.map(\.lowerBound)
    let schedules = buckets.map { Schedule(order: order, elements: $0.count, placement: placement) }
    self.schedules = schedules
    let own = placement.shards(of: memory.node.rank)
    sums = schedules.map { schedule in
      own.map { chunk in
        LocalSum(
          elements: schedule.chunk(chunk), ontoResult: false,
          shards: order.sequence(chunk: chunk, shards: placement.shards))
      }
    }
  }

  var rank: Int { memory.node.rank }

  func owned(_ bucket: Int) -> Range<Int> { schedules[bucket].owned(by: rank) }

  func reduceScatter(
    _ bucket: Int, contributions own: [UnsafePointer<Float>], offset: Int, result: UnsafeMutablePointer<Float>
  ) throws {
    // All contributions are there, and nobody reads the last sums any more.
    memory.barrier()
    for part in sums[bucket] {
      part.execute(contributions: contributions, offset: offset, firstShard: 0, result: sum + offset)
    }
    let owned = owned(bucket)
    if result != sum + offset {
      (result + owned.lowerBound).update(from: sum + offset + owned.lowerBound, count: owned.count)
    }
    traffic.rounds += 1
  }

  func allGather(_ bucket: Int, result: UnsafeMutablePointer<Float>) throws {
    memory.barrier()
    let sum = sum + starts[bucket]
    if result != sum { result.update(from: sum, count: schedules[bucket].elements) }
  }
}
