import Determinism
import MPI

/// Adds a rank's own shards in ascending order and leaves the rest to `MPI_Allreduce`.
///
/// The library chooses the order over ranks, so the sum's bits may depend on their number.
final class NativeTransport: ReductionTransport {
  private let communicator: Communicator
  private let block: Range<Int>
  private let sums: [LocalSum]
  private let ownedElements: [Range<Int>]

  init(_ communicator: Communicator, placement: Placement, elements: [Int]) {
    let block = placement.shards(of: communicator.rank)
    self.communicator = communicator
    self.block = block
    sums = elements.map { LocalSum(elements: 0..<$0, ontoResult: false, shards: Array(block)) }
    ownedElements = elements.map { part(communicator.rank, of: communicator.size, in: $0) }
  }

  var rank: Int { communicator.rank }

  /// Unknown: the library sends.
  var traffic: Traffic { Traffic() }

  func owned(_ bucket: Int) -> Range<Int> { ownedElements[bucket] }

  /// Leaves all elements finished, more than is asked, so that there is nothing left to gather.
  func reduceScatter(
    _ bucket: Int, contributions: [UnsafePointer<Float>], offset: Int, result: UnsafeMutablePointer<Float>
  ) throws {
    let sum = sums[bucket]
    sum.execute(contributions: contributions, offset: offset, firstShard: block.lowerBound, result: result)
    try communicator.allReduce(UnsafeMutableBufferPointer(start: result, count: sum.elements.count), .sum)
  }

  func allGather(_ bucket: Int, result: UnsafeMutablePointer<Float>) throws {}
}
