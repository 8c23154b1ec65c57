import CKernels
import MPI

/// Sums the gradients of all shards, bucket by bucket, between the ranks of a communicator.
///
/// A bucket is a range of the flat vectors. Over messages contributions are only read. In the memory of a single node every
/// rank's part of the sum takes the place of its own contribution, because a store to memory that another rank has just read
/// takes longer than the sum (docs/collectives.md). Nothing is allocated after `init`.
public final class GradientReducer {
  public let algorithm: AllReduceAlgorithm
  public let placement: Placement
  /// The ranges of the flat vector.
  public let buckets: [Range<Int>]
  /// Of each bucket; nil where the MPI library chooses.
  public let strategies: [Strategy?]
  private let memory: SharedVectors?
  /// Of each bucket.
  private let sums: [[Sum]]
  private let scratch: Scratch
  private var reductions: [BucketReduction] = []
  /// Of a turn over all buckets: how many have begun, and how many from the first on are finished.
  private var begun = 0
  private var finished = 0
  private var isFinished: [Bool]
  private var native: [NativeReduction] = []
  private var place: UnsafeMutablePointer<UInt>?

  /// The flags that the node's memory needs for so many buckets.
  public static func flags(buckets: Int) -> Int { BucketReduction.flagCount * buckets }

  /// Where some elements of a sum lie.
  public struct Sum {
    public let elements: Range<Int>
    /// A flat vector, of which these elements are meant.
    public let vector: UnsafePointer<Float>

    public init(elements: Range<Int>, vector: UnsafePointer<Float>) {
      (self.elements, self.vector) = (elements, vector)
    }
  }

  /// Prepares all rounds of all buckets. Collective; equal arguments everywhere.
  ///
  /// - Parameters:
  ///   - communicator: its ranks host the shards as `placement` says; messages go over a duplicate of it, or between the nodes of
  ///     `memory` over those that it has.
  ///   - shardsPerGroup: of strategies with groups (`AllReduceAlgorithm.strategy`).
  ///   - contributions: the flat gradient vectors of the shards that this rank hosts, in ascending order.
  ///   - result: a flat vector of the rank's own for the whole sum, which overlaps none of them; where there is one shard in
  ///     all, it may be the contribution. Nil, if there is memory, to leave the sum there (`sums(bucket:)`).
  ///   - memory: where the contributions of all of the node's shards lie, if in memory that its ranks share. It has
  ///     `flags(buckets:)` flags.
  ///   - slices: of each bucket, the elements of the flat vector that this rank goes on with, where it leaves the sum in the
  ///     memory of a single node; the ranks' slices make up the bucket. A rank then has its slice when it is finished, the others
  ///     may not: the caller sees to it that all are before any contribution is written again. Nil for equal parts.
  ///
  /// Sound: the caller keeps the vectors until the reducer is gone, and leaves a bucket's range alone while it is under way.
  public init(
    communicator: Communicator, placement: Placement, buckets: [Range<Int>], algorithm: AllReduceAlgorithm,
    shardsPerGroup: Int? = nil, contributions: [UnsafePointer<Float>], result: UnsafeMutablePointer<Float>?,
    memory: SharedVectors? = nil, slices: [Range<Int>]? = nil
  ) throws {
    precondition(placement.ranks == communicator.size, "\(placement) on \(communicator.size) ranks")
    let hosted = placement.shards(of: communicator.rank)
    precondition(contributions.count == hosted.count, "\(contributions.count) contributions of \(hosted.count) shards")
    self.algorithm = algorithm
    self.placement = placement
    self.buckets = buckets
    isFinished = Array(repeating: false, count: buckets.count)
    self.memory = algorithm.isReproducible ? memory : nil
    strategies = buckets.map {
      algorithm.strategy(elements: $0.count, shards: placement.shards, shardsPerGroup: shardsPerGroup)
    }
    // With memory, messages go over what that has.
    let own = try self.memory == nil ? communicator.duplicate() : communicator
    let work = RankWork(own, placement, self.memory, slices: result == nil ? slices : nil)
    let programs = zip(buckets, strategies).enumerated().map { index, bucket in
      bucket.1.flatMap { work.program($0, bucket: bucket.0, index) }
    }
    let further = programs.map { ($0?.buffers ?? 1) - 1 }
    scratch = Scratch(count: zip(buckets, further).reduce(0) { $0 + $1.0.count * $1.1 })
    guard let made = self.memory.map(work.ownSum) ?? result else { preconditionFailure("nowhere to put the sum") }
    sums = buckets.enumerated().map { index, bucket in
      result.map { [Sum(elements: bucket, vector: UnsafePointer($0))] } ?? work.sums(bucket, index)
    }

    var free = scratch.pointer
    for (index, bucket) in buckets.enumerated() {
      let table = OperandTable(hosted: work.shards, buffers: 1 + further[index])
      for (place, shard) in work.shards.enumerated() {
        let vector = self.memory.map { UnsafePointer($0.vector(ofShard: shard)) } ?? contributions[place]
        table.setContribution(place, vector + bucket.lowerBound)
      }
      table.setBuffer(0, made + bucket.lowerBound)
      for buffer in 0..<further[index] {
        table.setBuffer(1 + buffer, free)
        free += bucket.count
      }
      if algorithm.isReproducible {
        reductions.append(
          BucketReduction(
            programs[index], table: table, lane: work.lane, tag: index, memory: self.memory,
            flag: 1 + BucketReduction.flagCount * index, team: work.team(bucket, index),
            ending: work.ending(bucket, index, result)))
      } else {
        native.append(NativeReduction(own, elements: bucket.count, table: table))
      }
    }
  }

  /// Puts the sum over all shards where `sums(bucket:)` says. Collective.
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
    try algorithm.isReproducible && reductions[bucket].advance()
  }

  /// Returns when a bucket that has begun is finished. Collective.
  public func finish(bucket: Int) throws {
    guard algorithm.isReproducible else { return try native[bucket].run() }
    try reductions[bucket].waitForAll()
  }

  /// The first half of `finish`: puts the sum over all shards into `owned(bucket:)` of where it is made; the rest of the bucket's
  /// range there is undefined afterwards. Collective.
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
        if let place { ck_flag_raise(place, UInt(bucket)) }
        try finish(bucket: bucket)
      }
      if bucket + 1 == begun, begun < buckets.count { try beginNext() }
      try use(bucket + 1)
    }
    (begun, finished) = (0, 0)
    for bucket in isFinished.indices { isFinished[bucket] = false }
  }

  /// Where the sum of a bucket lies when it is finished: all of it, or where ranks go on with slices this rank's.
  public func sums(bucket: Int) -> [Sum] { sums[bucket] }

  /// From now on the number of the bucket that `finish` waits for is stored in a word, for a watchdog. Sound: the caller keeps
  /// it until the reducer is gone.
  public func publishPlace(in word: UnsafeMutablePointer<UInt64>) {
    place = UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt.self)
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

/// Memory for the partial sums that wait beside the result.
private final class Scratch {
  let pointer: UnsafeMutablePointer<Float>
  init(count: Int) { pointer = .allocate(capacity: max(count, 1)) }
  deinit { pointer.deallocate() }
}
