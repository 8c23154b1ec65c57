import MPI

/// Sums the gradients of all shards, bucket by bucket, between the ranks of a communicator.
///
/// Contributions are only read; the sum arrives in a buffer of its own. All pointers are to the first element of a flat
/// vector over all parameters; a bucket is a range of it. Nothing is allocated after `init`.
public final class GradientReducer {
  public let algorithm: AllReduceAlgorithm
  public let placement: Placement
  /// The ranges of the flat vector.
  public let buckets: [Range<Int>]
  private let transport: any ReductionTransport

  /// Prepares all rounds of all buckets. Collective; equal arguments everywhere.
  ///
  /// - Parameters:
  ///   - communicator: its ranks host the shards as `placement` says; messages go over a duplicate of it.
  ///   - memory: where all shards' vectors lie, if in memory that all ranks share; its first common vector takes the sums, and
  ///     may be the result.
  public init(
    communicator: Communicator, placement: Placement, buckets: [Range<Int>], algorithm: AllReduceAlgorithm,
    memory: SharedVectors? = nil
  ) throws {
    precondition(placement.ranks == communicator.size, "\(placement) on \(communicator.size) ranks")
    self.algorithm = algorithm
    self.placement = placement
    self.buckets = buckets
    let own = try communicator.duplicate()
    transport =
      if let order = algorithm.order, let memory {
        SharedMemoryTransport(memory, order: order, buckets: buckets)
      } else if let order = algorithm.order {
        MessageTransport(
          own, placement: placement,
          programs: buckets.map { bucket in
            Schedule(order: order, elements: bucket.count, placement: placement).program(of: own.rank)
          })
      } else {
        NativeTransport(own, placement: placement, elements: buckets.map(\.count))
      }
  }

  /// Puts the sum over all shards into the bucket's range of `result`, on every rank. Collective.
  ///
  /// - Parameters:
  ///   - contributions: the flat gradient vectors of the shards that this rank hosts, in ascending order.
  ///   - result: a flat vector that overlaps none of them; where there is one shard in all, it may be the contribution.
  public func reduce(bucket: Int, contributions: [UnsafePointer<Float>], result: UnsafeMutablePointer<Float>) throws {
    try reduceScatter(bucket: bucket, contributions: contributions, result: result)
    try allGather(bucket: bucket, result: result)
  }

  /// The first half: puts the sum over all shards into `owned(bucket:)` of `result`; the rest of the bucket's range there
  /// is undefined afterwards. Collective.
  public func reduceScatter(
    bucket: Int, contributions: [UnsafePointer<Float>], result: UnsafeMutablePointer<Float>
  ) throws {
    precondition(
      contributions.count == placement.shards(of: transport.rank).count, "\(contributions.count) contributions")
    let start = buckets[bucket].lowerBound
    try transport.reduceScatter(bucket, contributions: contributions, offset: start, result: result + start)
  }

  /// The second half: copies each rank's `owned(bucket:)` to all. Collective.
  public func allGather(bucket: Int, result: UnsafeMutablePointer<Float>) throws {
    try transport.allGather(bucket, result: result + buckets[bucket].lowerBound)
  }

  /// What this rank has sent since `init`; zero for `native`, where the library sends.
  public var traffic: Traffic { transport.traffic }

  /// The elements of the flat vector that this rank holds between the halves; those of all ranks make up the bucket.
  public func owned(bucket: Int) -> Range<Int> {
    let start = buckets[bucket].lowerBound
    let owned = transport.owned(bucket)
    return start + owned.lowerBound..<start + owned.upperBound
  }
}

/// Rounds gone through and messages and bytes sent by one rank.
public struct Traffic: Hashable, Sendable {
  public var rounds = 0
  public var messages = 0
  public var bytes = 0
}

/// Moves and adds the elements of buckets between ranks. A transport of an order reproduces its bits.
protocol ReductionTransport: AnyObject {
  var rank: Int { get }
  var traffic: Traffic { get }
  /// The elements, counted from the bucket's first, that this rank holds between the halves.
  func owned(_ bucket: Int) -> Range<Int>
  /// - Parameters:
  ///   - contributions: each at the first element of a flat vector; the bucket begins `offset` elements later.
  ///   - result: at the bucket's first element.
  func reduceScatter(
    _ bucket: Int, contributions: [UnsafePointer<Float>], offset: Int, result: UnsafeMutablePointer<Float>) throws
  func allGather(_ bucket: Int, result: UnsafeMutablePointer<Float>) throws
}
