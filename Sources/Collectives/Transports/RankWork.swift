import MPI

/// What a rank does of a schedule: all that falls on it, or over shared memory its part of all that falls on its node.
struct RankWork {
  let placement: Placement
  /// The ranks that messages go to; nil for one that sends none.
  let lane: Communicator?
  /// Those whose contributions it sees.
  let shards: Range<Int>
  private let memory: SharedVectors?
  /// Of each bucket, the elements of the flat vector that the rank goes on with, where nothing is sent.
  private let slices: [Range<Int>]?

  init(_ communicator: Communicator, _ placement: Placement, _ memory: SharedVectors?, slices: [Range<Int>]?) {
    self.memory = memory
    self.slices = memory?.nodes.count == 1 ? slices : nil
    self.placement = memory?.nodePlacement ?? placement
    lane = memory.map(\.nodes.lane) ?? communicator
    shards = memory?.shards ?? placement.shards(of: communicator.rank)
  }

  /// The most elements of a bucket of which one rank makes the whole sum: waiting for others would take longer.
  private static let fewElements = 1024

  /// What a rank of a single node sums of a bucket.
  private func slice(_ bucket: Range<Int>, _ index: Int, of rank: Int, on memory: SharedVectors) -> Range<Int> {
    // What the rank reads next is then in its own cache.
    if let slices { return slices[index] }
    let makers = makers(bucket, index, on: memory)
    return makers.contains(rank) ? lineParts(rank - makers.lowerBound, of: makers.count, in: bucket) : bucket.prefix(0)
  }

  /// Who makes parts of a bucket's sum.
  private func makers(_ bucket: Range<Int>, _ index: Int, on memory: SharedVectors) -> Range<Int> {
    if memory.nodes.count > 1 { return 0..<memory.nodes.lanes }
    let ranks = memory.node.size
    if slices != nil || bucket.count > Self.fewElements { return 0..<ranks }
    return index % ranks..<index % ranks + 1
  }

  func team(_ bucket: Range<Int>, _ index: Int) -> BucketReduction.Team? {
    guard let memory else { return nil }
    let makers = makers(bucket, index, on: memory)
    let makes = slices.map { !$0[index].isEmpty } ?? makers.contains(memory.node.rank)
    return BucketReduction.Team(all: 0..<memory.node.size, makers: makers, makes: makes)
  }

  private func part(_ bucket: Range<Int>, _ index: Int) -> Schedule.Lane {
    guard let memory else { return .whole }
    if memory.nodes.count > 1 { return Schedule.Lane(memory.node.rank, of: memory.nodes.lanes) }
    let own = slice(bucket, index, of: memory.node.rank, on: memory)
    return Schedule.Lane(within: own.lowerBound - bucket.lowerBound..<own.upperBound - bucket.lowerBound)
  }

  /// The vector that sums which this rank makes in shared memory go to.
  func ownSum(_ memory: SharedVectors) -> UnsafeMutablePointer<Float> { sum(ofRank: memory.node.rank, in: memory) }

  private func sum(ofRank rank: Int, in memory: SharedVectors) -> UnsafeMutablePointer<Float> {
    memory.sum ?? memory.firstVector(ofRank: rank)
  }

  /// Where the sum of a bucket lies in shared memory.
  func sums(_ bucket: Range<Int>, _ index: Int) -> [GradientReducer.Sum] {
    guard let memory else { return [] }
    let ranks =
      memory.sum != nil ? 0..<1 : slices == nil ? 0..<memory.node.size : memory.node.rank..<memory.node.rank + 1
    return ranks.map { rank in
      GradientReducer.Sum(
        elements: memory.sum == nil ? slice(bucket, index, of: rank, on: memory) : bucket,
        vector: UnsafePointer(sum(ofRank: rank, in: memory)))
    }
  }

  /// - Parameter result: where all of the sum is to be copied to, if to anywhere.
  func ending(_ bucket: Range<Int>, _ index: Int, _ result: UnsafeMutablePointer<Float>?) -> BucketReduction.Ending {
    guard let result else { return slices == nil ? .together : .apart }
    let sums = sums(bucket, index)
    return .copied(overContributions: memory?.sum == nil) {
      for sum in sums {
        (result + sum.elements.lowerBound).update(from: sum.vector + sum.elements.lowerBound, count: sum.elements.count)
      }
    }
  }

  /// Nil for a rank beyond the lanes.
  func program(_ strategy: Strategy, bucket: Range<Int>, _ index: Int) -> RankProgram? {
    guard let lane else { return nil }
    return Schedule(strategy, elements: bucket.count, placement: placement, lane: part(bucket, index)).program(
      of: lane.rank)
  }
}
