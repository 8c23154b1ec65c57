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
/// `free` is collective and waits for the other ranks; `unmap` does not, so that it may be called where a rank unwinds from an
/// error. A window that is dropped without either lives until the process ends.
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
    unmap()
  }

  /// Gives this rank's view of the memory up; the system takes the memory back with the last rank's. Not collective: the others
  /// may still use it.
  public consuming func unmap() {
    for part in parts { munmap(part.baseAddress, Self.footprint(byteCount: part.count)) }
  }

  /// The memory that a part takes: whole pages, huge ones from the size of one on.
  public static func footprint(byteCount: Int) -> Int {
    let page = byteCount >= hugePage ? hugePage : 4096
    return max(1, (byteCount + page - 1) / page) * page
  }

  /// Bytes of the file system that shared memory comes from, and those of them that are free; none where it is missing.
  public static func room() -> (total: Int, free: Int) {
    var status = statvfs()
    guard statvfs(place, &status) == 0 else { return (0, 0) }
    return (Int(status.f_blocks) * Int(status.f_frsize), Int(status.f_bavail) * Int(status.f_frsize))
  }

  // MARK: the system

  private static let place = "/dev/shm"
  private static let hugePage = 2 << 20

  /// Makes an object of each rank and maps those of all; this rank's has all its memory. Collective.
  private static func mapped(_ sizes: [Int], on node: Communicator) throws -> [UnsafeMutableRawBufferPointer] {
    let files = try SharedObjects.open(on: node)
    // The mappings keep the memory.
    defer { for file in files { close(file) } }
    let (own, byteCount) = (files[node.rank], sizes[node.rank])
    try node.agree {
      if own < 0 { throw failure(byteCount, rank: node.rank, lackOfObject) }
      let code = ftruncate(own, footprint(byteCount: byteCount)) == 0 ? 0 : errno
      if code != 0 { throw failure(byteCount, rank: node.rank, code) }
    }
    return try node.agree {
      var parts: [UnsafeMutableRawBufferPointer] = []
      for (rank, file) in files.enumerated() {
        let base = try map(file, byteCount: sizes[rank], rank: rank)
        parts.append(UnsafeMutableRawBufferPointer(start: base, count: sizes[rank]))
      }
      try reserve(own, parts[node.rank], rank: node.rank)
      return parts
    }
  }

  /// Maps an object at a multiple of a huge page, by reserving addresses for one more.
  private static func map(_ file: Int32, byteCount: Int, rank: Int) throws -> UnsafeMutableRawPointer {
    if file < 0 { throw failure(byteCount, rank: rank, lackOfObject) }
    let length = footprint(byteCount: byteCount)
    guard let start = mmap(nil, length + hugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED
    else { throw failure(byteCount, rank: rank, errno) }
    let skipped = (hugePage - Int(bitPattern: start) % hugePage) % hugePage
    let base = start + skipped
    if skipped > 0 { munmap(start, skipped) }
    munmap(base + length, hugePage - skipped)
    guard let mapped = mmap(base, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0), mapped != MAP_FAILED
    else { throw failure(byteCount, rank: rank, errno) }
    return mapped
  }

  /// Takes all memory of this rank's object, in whole huge pages where the system can (Linux 6.1 and newer).
  ///
  /// A page that was not taken would be a bus error when it is written to and others have left none meanwhile. Pages lie near the
  /// rank that takes them. One page of each huge page comes first: the system makes a whole one of what is there, be it a single
  /// page, and would have to copy more of them (34 ms for 64 MiB, in place of 3).
  private static func reserve(_ file: Int32, _ part: UnsafeMutableRawBufferPointer, rank: Int) throws {
    func take(_ bytes: Range<Int>) throws {
      var code: Int32
      repeat { code = posix_fallocate(file, bytes.lowerBound, bytes.count) } while code == EINTR
      if code != 0 { throw failure(part.count, rank: rank, code) }
    }
    let length = footprint(byteCount: part.count)
    if part.count >= hugePage {
      for offset in stride(from: 0, to: part.count, by: hugePage) {
        try take(offset..<offset + 1)
        part[offset] = 0
      }
      let collapse: Int32 = 25
      _ = madvise(part.baseAddress, length, collapse)
    }
    try take(0..<length)
  }

  /// Why a rank has no object, looked for anew, because much was called since. Nil where that does not tell.
  private static var lackOfObject: Int32? { access(place, R_OK | W_OK | X_OK) == 0 ? nil : errno }

  /// - Parameter code: of the call that failed; nil where it is not known.
  private static func failure(_ byteCount: Int, rank: Int, _ code: Int32?) -> JobFailure {
    let reason = code.map { String(cString: strerror($0)) } ?? "it cannot be opened"
    return JobFailure(
      message: "\(byteCount) bytes of shared memory for rank \(rank) of its node cannot be had (\(reason)); "
        + "give \(place) more room.",
      exitCode: 71)
  }
}
