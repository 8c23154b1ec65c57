import Determinism

/// A permutation of `0..<count` chosen by (seed, purpose, epoch), computed for each index alone.
///
/// It has no state and takes O(1) memory and time for an index, so a run's position in an epoch is one number and any
/// shard finds its samples without the others. Statistically it is a Fisher–Yates shuffle (the tests hold the battery:
/// successive differences, block occupancy, and for small counts every permutation equally often).
///
/// Counts up to 256 use a table shuffled by Fisher and Yates' method, because a Feistel network of so few bits has few
/// distinct round functions. Larger counts use ten rounds of an unbalanced Feistel network over the fewest bits that
/// hold `count − 1`, and walk its cycle until the value is below `count` (Black and Rogaway, "Ciphers with arbitrary
/// finite domains", 2002, section 3): fewer than two walks on average.
public struct KeyedPermutation: Sendable {
  public let count: Int
  private let table: SmallShuffle
  private let network: FeistelNetwork

  /// The largest count that is shuffled in a table.
  static let largestTable = 256

  /// The permutation of an epoch. `purpose` separates uses that share a seed.
  public init(count: Int, seed: UInt64, epoch: Int = 0, purpose: String = "order") {
    self.init(count: count, seed: seed, epoch: epoch, purpose: purpose, rounds: 10)
  }

  /// With another number of rounds, and no table at all; for tests of the battery.
  package init(count: Int, seed: UInt64, epoch: Int, purpose: String, rounds: Int, usesTable: Bool = true) {
    precondition(count >= 0 && count <= 1 << 62, "a permutation of \(count)")
    let stream = RandomStream(seed: seed, purpose: purpose)
    let epoch = UInt32(truncatingIfNeeded: epoch)
    self.count = count
    let small = usesTable && count <= Self.largestTable
    table = SmallShuffle(count: small ? count : 0, stream: stream, epoch: epoch)
    network = FeistelNetwork(count: small ? 0 : count, rounds: rounds, stream: stream, epoch: epoch)
  }

  /// The index at a position.
  public subscript(position: Int) -> Int {
    precondition(position >= 0 && position < count, "position \(position) of \(count)")
    if !table.isEmpty { return table[position] }
    return Int(network.forward(UInt64(position)))
  }

  /// The position of an index: the inverse of the subscript, at the same cost.
  public func position(of index: Int) -> Int {
    precondition(index >= 0 && index < count, "index \(index) of \(count)")
    if !table.isEmpty { return table.position(of: index) }
    return Int(network.backward(UInt64(index)))
  }

  /// Replaces `indices` by those at `positions`, in order; its memory is kept. The fast way for more than a few: it
  /// takes a few nanoseconds an index.
  public func map(_ positions: Range<Int>, into indices: inout [Int]) {
    precondition(positions.lowerBound >= 0 && positions.upperBound <= count, "positions \(positions) of \(count)")
    indices.removeAll(keepingCapacity: true)
    indices.reserveCapacity(positions.count)
    if table.isEmpty {
      network.appendForward(positions, to: &indices)
    } else {
      for position in positions { indices.append(table[position]) }
    }
  }
}

/// A shuffle of at most 256 numbers, written out.
private struct SmallShuffle: Sendable {
  private var entries: [UInt8]
  private var positions: [UInt8]

  var isEmpty: Bool { entries.isEmpty }

  init(count: Int, stream: RandomStream, epoch: UInt32) {
    entries = (0..<count).map { UInt8($0) }
    for last in stride(from: count - 1, to: 0, by: -1) {
      let other = Int(stream.integer(below: UInt32(last + 1), last, epoch: epoch))
      entries.swapAt(last, other)
    }
    positions = [UInt8](repeating: 0, count: count)
    for (position, entry) in entries.enumerated() { positions[Int(entry)] = UInt8(position) }
  }

  subscript(position: Int) -> Int { Int(entries[position]) }
  func position(of index: Int) -> Int { Int(positions[index]) }
}
