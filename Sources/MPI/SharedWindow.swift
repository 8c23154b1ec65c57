import CMPI
import Glibc

/// Memory of all ranks of a node that each of them can read and write directly.
///
/// Each rank allocates a part of its own and sees the parts of all. Parts start at multiples of 64 bytes and are zero at
/// first. Nothing keeps one rank's stores and another's loads in order by itself: `fence` does.
///
/// A part is an object of POSIX shared memory without a name (`SharedObjects`), so that nothing is left behind whatever ends the
/// job. It is not a window of MPI, because that has its parts where huge pages cannot be mapped, and
/// with small ones sums over large vectors take half as long again (docs/collectives.md).
///
/// `free` is collective and waits for the other ranks. It is therefore not called on `deinit`: a rank that unwinds from
/// an error must reach the end of `withMPI`, which ends the others. A window dropped without `free` lives until the
/// process ends.
public struct SharedWindow: ~Copyable {
  private let communicator: Communicator
  private let parts: [UnsafeMutableRawBufferPointer]

  /// Allocates `byteCount` bytes of this rank's own; ranks may ask for different numbers. Collective.
  ///
  /// - Parameter node: ranks that can share memory, as of `splitByNode()`.
  /// - Throws: 71 on all ranks where the memory of one cannot be had.
  public init(on node: Communicator, byteCount: Int) throws {
    precondition(byteCount >= 0, "\(byteCount) bytes")
    let sizes = try node.allGather([byteCount])
    let parts = try Self.mapped(sizes, on: node)
    // Pages lie near the rank that touches them first.
    Self.askForHugePages(parts[node.rank])
    parts[node.rank].initializeMemory(as: UInt8.self, repeating: 0)
    try Self.fence(node)
    communicator = node
    self.parts = parts
  }

  /// The memory that `rank` of the node allocated, at this process's address of it; valid until `free`.
  public func part(of rank: Int) -> UnsafeMutableRawBufferPointer { parts[rank] }

  /// What any rank stored before it is seen by all loads after it. Collective.
  public func fence() throws { try Self.fence(communicator) }

  private static func fence(_ node: Communicator) throws {
    cmpi_memory_fence()
    try node.barrier()
    cmpi_memory_fence()
  }

  /// Gives the memory of all ranks back. Collective.
  public consuming func free() throws {
    try communicator.barrier()
    for part in parts { munmap(part.baseAddress, Self.footprint(byteCount: part.count)) }
  }

  /// The memory that a part takes: whole pages, huge ones from the size of one on.
  public static func footprint(byteCount: Int) -> Int {
    let page = byteCount >= hugePage ? hugePage : 4096
    return max(1, (byteCount + page - 1) / page) * page
  }

  // MARK: the system

  private static let hugePage = 2 << 20

  /// Makes an object of each rank and maps those of all. Collective.
  private static func mapped(_ sizes: [Int], on node: Communicator) throws -> [UnsafeMutableRawBufferPointer] {
    let files = try SharedObjects.open(on: node)
    // The mappings keep the memory.
    defer { for file in files { close(file) } }
    try node.agree {
      guard files[node.rank] >= 0, ftruncate(files[node.rank], footprint(byteCount: sizes[node.rank])) == 0 else {
        throw failure(sizes[node.rank], rank: node.rank)
      }
    }
    return try node.agree {
      try zip(files, sizes).enumerated().map { rank, part in
        guard let base = map(part.0, byteCount: footprint(byteCount: part.1)) else { throw failure(part.1, rank: rank) }
        return UnsafeMutableRawBufferPointer(start: base, count: part.1)
      }
    }
  }

  /// Maps an object at a multiple of a huge page, by reserving addresses for one more.
  private static func map(_ file: Int32, byteCount: Int) -> UnsafeMutableRawPointer? {
    if file < 0 { return nil }
    let reserved = byteCount + hugePage
    guard let start = mmap(nil, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED else {
      return nil
    }
    let skipped = (hugePage - Int(bitPattern: start) % hugePage) % hugePage
    let base = start + skipped
    if skipped > 0 { munmap(start, skipped) }
    munmap(base + byteCount, hugePage - skipped)
    let mapped = mmap(base, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0)
    return mapped == MAP_FAILED ? nil : mapped
  }

  /// Makes whole huge pages of memory that nobody has used yet, where the system can (Linux 6.1 and newer); else it stays as it is.
  private static func askForHugePages(_ part: UnsafeMutableRawBufferPointer) {
    if part.count < hugePage { return }
    // The system collapses what is there, be it a single page.
    for offset in stride(from: 0, to: part.count, by: hugePage) { part[offset] = 0 }
    let collapse: Int32 = 25
    _ = madvise(part.baseAddress, footprint(byteCount: part.count), collapse)
  }

  private static func failure(_ byteCount: Int, rank: Int) -> JobFailure {
    JobFailure(
      message: "\(byteCount) bytes of shared memory for rank \(rank) of its node cannot be had "
        + "(\(String(cString: strerror(errno)))); give /dev/shm more room.",
      exitCode: 71)
  }
}
