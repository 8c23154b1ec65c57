import CMPI
import Glibc

/// Objects of shared memory, one of each rank of a node, that every rank has open.
///
/// They have no name from the beginning, so that a rank that is killed at any moment leaves nothing: each rank opens those of the
/// others by their descriptors in `/proc`. Where one cannot, because its processes are not this one's to see, all have names for
/// as long as it takes to open them.
enum SharedObjects {
  /// The descriptors, by rank; -1 for an object that cannot be had. The caller closes them. Collective.
  static func open(on node: Communicator) throws -> [Int32] {
    let own = Glibc.open("/dev/shm", unnamed | O_RDWR | O_CLOEXEC, 0o600)
    defer { if own >= 0 { close(own) } }
    var status = stat()
    let isThere = own >= 0 && fstat(own, &status) == 0
    let all = try node.allGather([
      isThere ? Int(own) : -1, Int(getpid()), Int(truncatingIfNeeded: status.st_dev),
      Int(truncatingIfNeeded: status.st_ino),
    ])
    let files = (0..<node.size).map { rank in reach(all[4 * rank..<4 * rank + 4]) }
    // Also sees to it that nobody closes its own before all have it.
    if try node.allReduce(files.contains(-1) ? 0 : 1, .minimum) == 1 { return files }
    for file in files where file >= 0 { close(file) }
    return try openNamed(on: node)
  }

  /// Opens the object of a descriptor, process, device and inode; -1 where that is not what is found there.
  private static func reach(_ words: ArraySlice<Int>) -> Int32 {
    let words = Array(words)
    guard words[0] >= 0 else { return -1 }
    let path = "/proc/\(words[1])/fd/\(words[0])"
    // Looked at before it is opened: with processes numbered otherwise it is another's file.
    var status = stat()
    guard stat(path, &status) == 0, Int(truncatingIfNeeded: status.st_dev) == words[2],
      Int(truncatingIfNeeded: status.st_ino) == words[3]
    else { return -1 }
    return Glibc.open(path, O_RDWR | O_CLOEXEC)
  }

  /// Collective.
  private static func openNamed(on node: Communicator) throws -> [Int32] {
    let name = "/swift-dp-train-\(getpid())-\(UInt32.random(in: 0...(.max)))"
    let names = try node.allGather(name)
    let own = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
    defer {
      shm_unlink(name)
      close(own)
    }
    try node.barrier()
    let files = names.map { shm_open($0, O_RDWR, 0o600) }
    try node.barrier()
    return files
  }

  /// `O_TMPFILE`, which Swift does not import.
  private static let unnamed = 0o20000000 | O_DIRECTORY
}
