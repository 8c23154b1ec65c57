import Determinism

/// Who sends, receives and adds what in which round to all-reduce one bucket: a pure function of (order, elements,
/// placement).
///
/// Each rank has one gradient buffer for each shard it hosts, which is only read (its *contributions*), and one *result*
/// buffer, in which partial sums pass through and the finished sum arrives. All have `elements` elements, and all
/// ranges count from the start of the bucket. The first half (reduce-scatter) leaves each rank with the finished
/// chunks of its own shards, one contiguous range; the second (all-gather) only copies.
public struct Schedule: Hashable, Sendable {
  public let order: ReductionOrder
  public let elements: Int
  public let placement: Placement

  public init(order: ReductionOrder, elements: Int, placement: Placement) {
    precondition(elements >= 0, "\(elements) elements")
    self.order = order
    self.elements = elements
    self.placement = placement
  }

  /// What one rank does.
  public func program(of rank: Int) -> RankProgram {
    switch order {
    case .ring: ringProgram(of: rank)
    }
  }

  /// The elements of a chunk.
  public func chunk(_ index: Int) -> Range<Int> { part(index, of: placement.shards, in: elements) }

  /// The elements of chunks that follow one another.
  func chunks(_ indices: Range<Int>) -> Range<Int> {
    indices.isEmpty ? 0..<0 : chunk(indices.lowerBound).lowerBound..<chunk(indices.upperBound - 1).upperBound
  }

  /// The elements whose finished sum a rank holds between the two halves: the chunks of its own shards.
  public func owned(by rank: Int) -> Range<Int> { chunks(placement.shards(of: rank)) }
}

/// What one rank does to all-reduce one bucket.
public struct RankProgram: Hashable, Sendable {
  public let rank: Int
  /// Sums made before the first round.
  public var start: [LocalSum] = []
  /// Rounds of the reduce-scatter; on ranks that have nothing to do in a round it is empty.
  public var reduceScatter: [Round] = []
  /// Rounds of the all-gather, which add nothing.
  public var allGather: [Round] = []
  /// The elements whose finished sum lies in the result buffer between the halves.
  public var owned: Range<Int> = 0..<0
}

/// A step of a program: its messages are under way together, its sums follow when all have ended.
///
/// No message of a round overlaps another that writes.
public struct Round: Hashable, Sendable {
  public var sends: [Send] = []
  public var receives: [Receive] = []
  public var sums: [LocalSum] = []
}

/// A message to another rank.
public struct Send: Hashable, Sendable {
  /// Where the elements are read.
  public enum Source: Hashable, Sendable {
    case result
    case contribution(shard: Int)
  }
  public let source: Source
  public let elements: Range<Int>
  public let destination: Int
}

/// A message from another rank into the result buffer.
public struct Receive: Hashable, Sendable {
  public let elements: Range<Int>
  public let source: Int
}

/// `result[elements] = (result[elements] +) contribution of shards[0] + of shards[1] + …`, from left to right.
public struct LocalSum: Hashable, Sendable {
  public let elements: Range<Int>
  /// Whether the sum starts with what the result buffer holds.
  public let ontoResult: Bool
  /// Shards that the rank hosts, in the sequence in which they are added.
  public let shards: [Int]
}
