import MPI

/// Sums the gradients of all shards, bucket by bucket, between the ranks of a communicator.
///
/// Contributions are only read; the sum arrives in a vector of its own. A bucket is a range of the flat vectors. Nothing is
/// allocated after `init`.
public final class GradientReducer {
  public let algorithm: AllReduceAlgorithm
  public let placement: Placement
  /// The ranges of the flat vector.
  public let buckets: [Range<Int>]
  /// Of each bucket; nil where the MPI library chooses.
  public let strategies: [Strategy?]
  private let result: UnsafeMutablePointer<Float>
  private let memory: SharedVectors?
  private let scratch: Scratch
  private var reductions: [BucketReduction] = []
  /// Of a turn over all buckets: how many have begun, and how many from the first on are finished.
  private var begun = 0
  private var finished = 0
  private var isFinished: [Bool]
  private var native: [NativeReduction] = []

  /// The flags that the node's memory needs for so many buckets.
  public static func flags(buckets: Int) -> Int { 2 * buckets }

  /// Prepares all rounds of all buckets. Collective; equal arguments everywhere.
  ///
  /// - Parameters:
  ///   - communicator: its ranks host the shards as `placement` says; messages go over duplicates of it.
  ///   - shardsPerGroup: of strategies with groups (`AllReduceAlgorithm.strategy`).
  ///   - contributions: the flat gradient vectors of the shards that this rank hosts, in ascending order.
  ///   - result: a flat vector that overlaps none of them; where there is one shard in all, it may be the contribution.
  ///   - memory: where the contributions of all of the node's shards lie, if in memory that its ranks share; its first common
  ///     vector takes the sums, and may be the result. It has `flags(buckets:)` flags.
  ///   - slices: of each bucket, the elements of the flat vector that this rank goes on with, if all ranks share one node's
  ///     memory; the ranks' slices make up the bucket. Nil for equal parts.
  ///
  /// Sound: the caller keeps the vectors until the reducer is gone, and leaves a bucket's range alone while it is under way.
  public init(
    communicator: Communicator, placement: Placement, buckets: [Range<Int>], algorithm: AllReduceAlgorithm,
    shardsPerGroup: Int? = nil, contributions: [UnsafePointer<Float>], result: UnsafeMutablePointer<Float>,
    memory: SharedVectors? = nil, slices: [Range<Int>]? = nil
  ) throws {
    precondition(placement.ranks == communicator.size, "\(placement) on \(communicator.size) ranks")
    let hosted = placement.shards(of: communicator.rank)
    precondition(contributions.count == hosted.count, "\(contributions.count) contributions of \(hosted.count) shards")
    self.algorithm = algorithm
    self.placement = placement
    self.buckets = buckets
    self.result = result
    isFinished = Array(repeating: false, count: buckets.count)
    self.memory = algorithm.isReproducible ? memory : nil
    strategies = buckets.map {
      algorithm.strategy(elements: $0.count, shards: placement.shards, shardsPerGroup: shardsPerGroup)
    }
    let own = try communicator.duplicate()
    let work = Work(own, placement, self.memory, slices: slices)
    let programs = zip(buckets, strategies).enumerated().map { index, bucket in
      bucket.1.flatMap { work.program($0, bucket: bucket.0, index) }
    }
    let further = programs.map { ($0?.buffers ?? 1) - 1 }
    scratch = Scratch(count: zip(buckets, further).reduce(0) { $0 + $1.0.count * $1.1 })

    let sum = self.memory?.commonVector(0) ?? result
    var free = scratch.pointer
    for (index, bucket) in buckets.enumerated() {
      let table = OperandTable(
        hosted: work.shards, buffers: 1 + further[index], isPastCaches: work.isPastCaches(elements: bucket.count))
      for (place, shard) in work.shards.enumerated() {
        let vector = self.memory.map { UnsafePointer($0.vector(ofShard: shard)) } ?? contributions[place]
        table.setContribution(place, vector + bucket.lowerBound)
      }
      table.setBuffer(0, sum + bucket.lowerBound)
      for buffer in 0..<further[index] {
        table.setBuffer(1 + buffer, free)
        free += bucket.count
      }
      if algorithm.isReproducible {
        reductions.append(
          BucketReduction(
            programs[index], table: table, lane: work.lane, tag: index, memory: self.memory, flag: 1 + 2 * index))
      } else {
        native.append(NativeReduction(own, elements: bucket.count, table: table))
      }
    }
  }

  /// Puts the sum over all shards into the bucket's range of the result, on every rank. Collective.
  public func reduce(bucket: Int) throws {
    try begin(bucket: bucket)
    try finish(bucket: bucket)
  }

  /// Starts a bucket whose contributions are there. Several may be under way; all ranks begin them in the same sequence.
  public func begin(bucket: Int) throws {
    if algorithm.isReproducible { try reductions[bucket].begin() }
  }

  /// Goes on with a bucket that has begun as far as it can without waiting; says whether it is finished.
  public func advance(bucket: Int) throws -> Bool {
    guard algorithm.isReproducible, try reductions[bucket].advance() else { return false }
    copyOut(bucket)
    return true
  }

  /// Returns when a bucket that has begun is finished. Collective.
  public func finish(bucket: Int) throws {
    guard algorithm.isReproducible else { return try native[bucket].run() }
    try reductions[bucket].waitForAll()
    copyOut(bucket)
  }

  /// The first half of `finish`: puts the sum over all shards into `owned(bucket:)` of the result, or of the node's sum; the
  /// rest of the bucket's range there is undefined afterwards. Collective.
  public func finishOwned(bucket: Int) throws {
    guard algorithm.isReproducible else { return }
    try reductions[bucket].waitForOwned()
  }

  // MARK: all buckets

  /// Begins the next bucket, in the order of buckets; `advance` and `finish` go on with it.
  public func beginNext() throws {
    try begin(bucket: begun)
    begun += 1
  }

  /// Goes on with all buckets that have begun as far as it can without waiting; says whether any is not finished.
  public func advance() throws -> Bool {
    for bucket in finished..<begun where !isFinished[bucket] {
      isFinished[bucket] = try advance(bucket: bucket)
    }
    while finished < begun, isFinished[finished] { finished += 1 }
    return finished < begun
  }

  /// Buckets that are finished, from the first on.
  public var finishedBuckets: Int { finished }

  /// Returns when all buckets are finished, those that have not begun too. Collective.
  ///
  /// - Parameter use: called after each of them with the number of buckets that are finished by then, from the first on; the
  ///   next is under way meanwhile.
  public func finish(_ use: (_ finished: Int) throws -> Void = { _ in }) throws {
    for bucket in finished..<buckets.count {
      if !isFinished[bucket] {
        if bucket == begun { try beginNext() }
        try finish(bucket: bucket)
      }
      if bucket + 1 == begun, begun < buckets.count { try beginNext() }
      try use(bucket + 1)
    }
    (begun, finished) = (0, 0)
    for bucket in isFinished.indices { isFinished[bucket] = false }
  }

  private func copyOut(_ bucket: Int) {
    guard let sum = memory?.commonVector(0), sum != result else { return }
    let range = buckets[bucket]
    (result + range.lowerBound).update(from: sum + range.lowerBound, count: range.count)
  }

  /// What this rank has sent since `init`; zero for `native`, where the library sends.
  public var traffic: Traffic { reductions.reduce(into: Traffic()) { $0 += $1.traffic } }

  /// The elements of the flat vector that this rank holds between the halves.
  public func owned(bucket: Int) -> [Range<Int>] {
    let start = buckets[bucket].lowerBound
    let owned = algorithm.isReproducible ? reductions[bucket].owned : native[bucket].owned
    return owned.map { start + $0.lowerBound..<start + $0.upperBound }
  }
}

/// Rounds gone through and messages and bytes sent by one rank.
public struct Traffic: Hashable, Sendable {
  public var rounds = 0
  public var messages = 0
  public var bytes = 0

  static func += (total: inout Traffic, other: Traffic) {
    total.rounds += other.rounds
    total.messages += other.messages
    total.bytes += other.bytes
  }
}

/// What a rank does of a schedule: all that falls on it, or over shared memory its part of all that falls on its node.
private struct Work {
  let placement: Placement
  /// The ranks that messages go to; nil for one that sends none.
  let lane: Communicator?
  /// Those whose contributions it sees.
  let shards: Range<Int>
  private let part: (_ bucket: Range<Int>, _ index: Int) -> Schedule.Lane
  private let areReadByAll: Bool

  /// - Parameter slices: of each bucket, the elements of the flat vector that the rank sums where no messages are sent.
  init(_ communicator: Communicator, _ placement: Placement, _ memory: SharedVectors?, slices: [Range<Int>]?) {
    areReadByAll = memory?.nodes.count == 1 && slices == nil
    guard let memory else {
      self.placement = placement
      lane = communicator
      part = { _, _ in .whole }
      shards = placement.shards(of: communicator.rank)
      return
    }
    self.placement = memory.nodePlacement
    lane = memory.nodes.lane
    shards = memory.shards
    let (rank, ranks) = (memory.node.rank, memory.node.size)
    let lanes = memory.nodes.lanes
    if memory.nodes.count > 1 {
      part = { _, _ in Schedule.Lane(rank, of: lanes) }
    } else {
      part = { bucket, index in
        // What the rank reads next is then in its own cache.
        let own = slices?[index] ?? lineParts(rank, of: ranks, in: bucket)
        return Schedule.Lane(within: own.lowerBound - bucket.lowerBound..<own.upperBound - bucket.lowerBound)
      }
    }
  }

  /// Whether a bucket's sums go to memory past the caches: where all ranks read each other's, and no messages do.
  ///
  /// A store to the cache has to take the line away from those who read the last sum there, and below this size that takes less
  /// than the way to memory and back (docs/collectives.md).
  func isPastCaches(elements: Int) -> Bool { areReadByAll && elements >= 4096 }

  /// Nil for a rank beyond the lanes.
  func program(_ strategy: Strategy, bucket: Range<Int>, _ index: Int) -> RankProgram? {
    guard let lane else { return nil }
    return Schedule(strategy, elements: bucket.count, placement: placement, lane: part(bucket, index)).program(
      of: lane.rank)
  }
}

/// Memory for the partial sums that wait beside the result.
private final class Scratch {
  let pointer: UnsafeMutablePointer<Float>
  init(count: Int) { pointer = .allocate(capacity: max(count, 1)) }
  deinit { pointer.deallocate() }
}
