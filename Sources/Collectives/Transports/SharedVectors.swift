import CKernels
import MPI

/// Flat vectors that all ranks of a node see: one for each of the node's shards, and some that the node has once, where there
/// are several nodes one for a sum among them.
///
/// A rank's part of the window holds its flags, on cache lines of its own, and the vectors of its shards, which it writes; that
/// of the node's first rank also those of the node. Vectors are 64-byte aligned and start at different places within a page,
/// because vectors that are read side by side compete for the same cache sets otherwise.
public final class SharedVectors {
  /// What a node has beside the vectors of its shards.
  public struct Common: Sendable {
    /// Flat vectors of floats that the node has once.
    public var vectors: Int
    /// Numbers of double precision that the node has once, all in one array.
    public var doubles: Int
    /// Flags of each rank, beside that of `barrier`.
    public var flags: Int
    public init(vectors: Int, doubles: Int = 0, flags: Int = 0) {
      (self.vectors, self.doubles, self.flags) = (vectors, doubles, flags)
    }
  }

  public let nodes: Nodes
  /// Where all shards live, by ranks.
  public let placement: Placement
  /// Where all shards live, by nodes.
  public let nodePlacement: Placement
  /// Elements of a vector.
  public let count: Int
  private var window: SharedWindow?
  private let parts: [UnsafeMutableRawPointer]
  private let size: Size
  private let common: Common
  private var passed: UInt = 0
  private let spins: Int

  /// Whether shards of these ranks can share memory: some have a node in common, they follow one another there, and there is
  /// room for it.
  ///
  /// - Returns: nil if they can, else why not. Collective, and the same on all ranks.
  public static func obstacle(
    on world: Communicator, placement: Placement, count: Int, common: Common
  ) throws -> String? {
    let nodes = try Nodes(world)
    if nodes.count == world.size { return "every rank has a node of its own" }
    if nodes.placement(placement) == nil { return "the ranks of a node do not follow one another" }
    let size = Size(count, common, nodes: nodes.count)
    let bytes = nodes.ranks[nodes.index].enumerated().reduce(0) { bytes, rank in
      let part = size.part(of: rank.offset, shards: placement.shards(of: rank.element).count)
      return bytes + SharedWindow.footprint(byteCount: part)
    }
    // To take more would end the job.
    let room = SharedWindow.room().free
    // The node that lacks most speaks.
    let lack = try world.allReduce(bytes - room, .maximum)
    if lack <= 0 { return nil }
    let isSpeaker = bytes - room == lack
    func mebibytes(_ bytes: Int) throws -> String {
      "\(try world.allReduce(isSpeaker ? bytes : 0, .maximum) >> 20) MiB"
    }
    return "/dev/shm has \(try mebibytes(room)) free, \(try mebibytes(bytes)) are needed"
  }

  /// Takes the memory; it is zero. Collective.
  ///
  /// - Parameter world: ranks without an `obstacle`.
  public init(on world: Communicator, placement: Placement, count: Int, common: Common) throws {
    nodes = try Nodes(world)
    guard placement.ranks == world.size, let nodePlacement = nodes.placement(placement) else {
      preconditionFailure("\(placement) on \(nodes.ranks)")
    }
    self.placement = placement
    self.nodePlacement = nodePlacement
    self.count = count
    self.common = common
    size = Size(count, common, nodes: nodes.count)
    let node = nodes.node
    let window = try SharedWindow(
      on: node, byteCount: size.part(of: node.rank, shards: placement.shards(of: world.rank).count))
    var parts: [UnsafeMutableRawPointer] = []
    for rank in 0..<node.size {
      guard let base = window.part(of: rank).baseAddress else { preconditionFailure("a part without memory") }
      parts.append(base)
    }
    self.parts = parts
    self.window = consume window
    // Where ranks outnumber cores the one that is waited for may need this core.
    spins = try Self.cores(of: node) >= node.size ? 4000 : 0
  }

  /// The cores that any of the ranks may run on; often each is bound to its own. Collective.
  private static func cores(of node: Communicator) throws -> Int {
    var own = [Int32](repeating: 0, count: Int(CK_MOST_CORES))
    let count = Int(ck_affinity(&own))
    return Set(try node.allGatherVarying(Array(own.prefix(count))).joined()).count
  }

  /// Gives the memory back. Collective; nothing in it may be used afterwards.
  public func free() throws { try window.take()?.free() }

  /// A process that trains one run after another has only the last one's. Not collective.
  deinit { window.take()?.unmap() }

  /// The ranks that share this memory.
  public var node: Communicator { nodes.node }

  /// The shards of the node.
  public var shards: Range<Int> { nodePlacement.shards(of: nodes.index) }

  /// The vector of a shard of the node, of whatever rank.
  public func vector(ofShard shard: Int) -> UnsafeMutablePointer<Float> {
    let rank = placement.rank(of: shard)
    guard let place = nodes.ranks[nodes.index].firstIndex(of: rank) else {
      preconditionFailure("shard \(shard) lives on another node")
    }
    return vector(shard - placement.shards(of: rank).lowerBound, inPartOf: place)
  }

  /// A vector that the node has once.
  public func commonVector(_ index: Int) -> UnsafeMutablePointer<Float> {
    precondition(index < common.vectors, "vector \(index) of \(common.vectors)")
    return vector(shardsOfFirst + index, inPartOf: 0)
  }

  /// For a sum over all shards of several nodes, beside the common vectors; nil on a single node, where a sum takes the place of
  /// what it adds.
  public var sum: UnsafeMutablePointer<Float>? {
    nodes.count > 1 ? vector(shardsOfFirst + common.vectors, inPartOf: 0) : nil
  }

  /// The vector of the first shard of a rank of the node.
  func firstVector(ofRank rank: Int) -> UnsafeMutablePointer<Float> { vector(0, inPartOf: rank) }

  public var commonDoubles: UnsafeMutablePointer<Double> {
    (parts[0] + size.start(of: 0) + (shardsOfFirst + size.commonVectors) * size.vector).assumingMemoryBound(
      to: Double.self)
  }

  private var shardsOfFirst: Int { placement.shards(of: nodes.ranks[nodes.index][0]).count }

  private func vector(_ index: Int, inPartOf rank: Int) -> UnsafeMutablePointer<Float> {
    (parts[rank] + size.start(of: rank) + index * size.vector).assumingMemoryBound(to: Float.self)
  }

  // MARK: flags

  /// Told when `barrier` begins to wait and when it has ended, for a watchdog.
  public var barrierWaits: (_ isWaiting: Bool) -> Void = { _ in }

  /// Waits for all ranks of the node; what any of them stored before is seen by all after. Collective.
  public func barrier() {
    passed += 1
    raise(0, to: passed)
    barrierWaits(true)
    wait(for: 0, of: passed, by: parts.indices)
    barrierWaits(false)
  }

  /// Tells the node's other ranks that this one has come to `value` at a flag of its own, which only grows.
  ///
  /// - Parameter flag: 0 is that of `barrier`; 1 ... `common.flags` are free for use.
  func raise(_ flag: Int, to value: UInt) { ck_flag_raise(self.flag(flag, of: node.rank), value) }

  /// Where this rank's own flag is.
  func value(of flag: Int) -> UInt { self.flag(flag, of: node.rank).pointee }

  /// Whether some ranks of the node have come to `value`.
  func isRaised(_ flag: Int, to value: UInt, by ranks: Range<Int>) -> Bool {
    ranks.allSatisfy { ck_flag_is_raised(self.flag(flag, of: $0), value) != 0 }
  }

  /// Returns when some ranks of the node have come to `value`.
  func wait(for flag: Int, of value: UInt, by ranks: Range<Int>) {
    for rank in ranks where rank != node.rank { ck_flag_await(self.flag(flag, of: rank), value, spins) }
  }

  private func flag(_ index: Int, of rank: Int) -> UnsafeMutablePointer<UInt> {
    parts[rank].assumingMemoryBound(to: UInt.self) + index
  }

  // MARK: sizes

  private struct Size {
    /// Bytes of a rank's flags: whole cache lines.
    let flags: Int
    /// Bytes of a vector: whole pages and 1,088 bytes, by which the next vector then starts later within its page.
    let vector: Int
    /// That of the sum among them.
    let commonVectors: Int
    private let doubles: Int

    init(_ count: Int, _ common: Common, nodes: Int) {
      commonVectors = common.vectors + (nodes > 1 ? 1 : 0)
      doubles = common.doubles
      flags = ((1 + common.flags) * 8 + 63) / 64 * 64
      vector = (count * 4 + 4095) / 4096 * 4096 + 1088
    }

    /// The offset of the first vector in a rank's part: each rank's starts 2,176 bytes later within a page than that of the rank before.
    func start(of rank: Int) -> Int { flags + 2176 * rank }

    func part(of rank: Int, shards: Int) -> Int {
      let isFirst = rank == 0
      return start(of: rank) + (shards + (isFirst ? commonVectors : 0)) * vector + (isFirst ? doubles * 8 : 0)
    }
  }
}
