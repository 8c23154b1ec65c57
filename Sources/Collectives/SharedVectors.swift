import CKernels
import Foundation
import MPI

/// Flat vectors that all ranks of a node see: one for each of their shards, and some that the node has once.
///
/// A rank's part of the window holds its flag, on a cache line of its own, and the vectors of its shards, which it writes;
/// rank 0's also those of the node. Vectors are 64-byte aligned and start at different places within a page, because
/// vectors that are read side by side compete for the same cache sets otherwise.
public final class SharedVectors {
  /// What a node has once.
  public struct Common: Sendable {
    /// Flat vectors of floats.
    public var vectors: Int
    /// Numbers of double precision, all in one array.
    public var doubles: Int
    public init(vectors: Int, doubles: Int = 0) { (self.vectors, self.doubles) = (vectors, doubles) }
  }

  public let node: Communicator
  public let placement: Placement
  /// Elements of a vector.
  public let count: Int
  private var window: SharedWindow?
  private let parts: [UnsafeMutableRawPointer]
  private let vectorBytes: Int
  private let common: Common
  private var passed: UInt = 0
  private let spins: Int

  private static let lineBytes = 64

  /// Whether shards of these ranks can share memory: all on one node, and the room for it.
  ///
  /// - Returns: nil if they can, else why not. Collective, and the same on all ranks.
  public static func obstacle(
    on world: Communicator, placement: Placement, count: Int, common: Common
  ) throws -> String? {
    let node = try world.splitByNode()
    if try world.allReduce(node.size, .minimum) < world.size { return "the ranks are on several nodes" }
    let bytes = (0..<world.size).reduce(0) { $0 + partBytes(of: $1, placement, count, common) }
    let room = try world.allReduce(roomForSharedMemory() ?? Int.max, .minimum)
    if room < bytes {
      func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
      return "/dev/shm has \(mebibytes(room)) free, \(mebibytes(bytes)) are needed"
    }
    return nil
  }

  /// Takes the memory; it is zero. Collective.
  ///
  /// - Parameter world: ranks of one node, with room for it (`obstacle`).
  public init(on world: Communicator, placement: Placement, count: Int, common: Common) throws {
    node = try world.splitByNode()
    precondition(node.size == world.size && placement.ranks == world.size, "\(placement) on \(node.size) ranks")
    self.placement = placement
    self.count = count
    self.common = common
    vectorBytes = Self.vectorBytes(count)
    let window = try SharedWindow(
      on: node, byteCount: Self.partBytes(of: node.rank, placement, count, common))
    var parts: [UnsafeMutableRawPointer] = []
    for rank in 0..<node.size {
      guard let base = window.part(of: rank).baseAddress else { preconditionFailure("a part without memory") }
      parts.append(base)
    }
    self.parts = parts
    self.window = consume window
    // Where ranks outnumber cores the one that is waited for may need this core.
    spins = ProcessInfo.processInfo.activeProcessorCount >= node.size ? 4000 : 0
  }

  /// Gives the memory back. Collective; nothing in it may be used afterwards.
  public func free() throws { try window.take()?.free() }

  /// The vector of a shard, of whatever rank.
  public func vector(ofShard shard: Int) -> UnsafeMutablePointer<Float> {
    let rank = placement.rank(of: shard)
    return vector(shard - placement.shards(of: rank).lowerBound, inPartOf: rank)
  }

  /// A vector that the node has once.
  public func commonVector(_ index: Int) -> UnsafeMutablePointer<Float> {
    precondition(index < common.vectors, "vector \(index) of \(common.vectors)")
    return vector(placement.shards(of: 0).count + index, inPartOf: 0)
  }

  public var commonDoubles: UnsafeMutablePointer<Double> {
    let vectors = placement.shards(of: 0).count + common.vectors
    return (parts[0] + Self.lineBytes + vectors * vectorBytes).assumingMemoryBound(to: Double.self)
  }

  private func vector(_ index: Int, inPartOf rank: Int) -> UnsafeMutablePointer<Float> {
    (parts[rank] + Self.lineBytes + index * vectorBytes).assumingMemoryBound(to: Float.self)
  }

  /// Waits for all ranks of the node; what any of them stored before is seen by all after. Collective.
  public func barrier() {
    passed += 1
    ck_flag_raise(flag(of: node.rank), passed)
    for rank in parts.indices where rank != node.rank { ck_flag_await(flag(of: rank), passed, spins) }
  }

  private func flag(of rank: Int) -> UnsafeMutablePointer<UInt> { parts[rank].assumingMemoryBound(to: UInt.self) }

  // MARK: sizes

  /// Whole pages and 1,088 bytes, by which the next vector then starts later within its page.
  private static func vectorBytes(_ count: Int) -> Int { (count * 4 + 4095) / 4096 * 4096 + 1088 }

  private static func partBytes(of rank: Int, _ placement: Placement, _ count: Int, _ common: Common) -> Int {
    let vectors = placement.shards(of: rank).count + (rank == 0 ? common.vectors : 0)
    return lineBytes + vectors * vectorBytes(count) + (rank == 0 ? common.doubles * 8 : 0)
  }

  /// Bytes free in the file system that shared memory comes from, of which a mapping beyond is a bus error; nil where there
  /// is none.
  private static func roomForSharedMemory() -> Int? {
    var status = statvfs()
    guard statvfs("/dev/shm", &status) == 0 else { return nil }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }
}
