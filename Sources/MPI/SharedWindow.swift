import CMPI

/// Memory of all ranks of a node that each of them can read and write directly.
///
/// Each rank allocates a part of its own and sees the parts of all. Parts start at multiples of 64 bytes and are zero at
/// first. MPI keeps no order between one rank's stores and another's loads: `fence` does.
///
/// `free` is collective and waits for the other ranks. It is therefore not called on `deinit`: a rank that unwinds from
/// an error must reach the end of `withMPI`, which ends the others. A window dropped without `free` lives until the
/// process ends.
public struct SharedWindow: ~Copyable {
  private let handle: cmpi_win
  private let communicator: Communicator
  private let parts: [UnsafeMutableRawBufferPointer]

  /// Allocates `byteCount` bytes of this rank's own; ranks may ask for different numbers. Collective.
  ///
  /// - Parameter node: ranks that can share memory, as of `splitByNode()`.
  public init(on node: Communicator, byteCount: Int) throws {
    precondition(byteCount >= 0, "\(byteCount) bytes")
    let alignment = 64
    var base: UnsafeMutableRawPointer?
    var window = cmpi_win()
    try check(
      cmpi_win_allocate_shared(MPI_Aint(byteCount + alignment), node.handle, &base, &window), "MPI_Win_allocate_shared")
    try check(cmpi_win_return_errors(window), "MPI_Win_set_errhandler")
    // The library maps whole pages but need not align the parts within them. The owner chooses its offset and tells it,
    // as addresses differ between processes.
    let own = UInt(bitPattern: base)
    let offset = Int((own + UInt(alignment - 1)) / UInt(alignment) * UInt(alignment) - own)
    let layout = try node.allGather([offset, byteCount])
    var parts: [UnsafeMutableRawBufferPointer] = []
    for rank in 0..<node.size {
      var bytes: MPI_Aint = 0
      var unit: Int32 = 0
      var start: UnsafeMutableRawPointer?
      try check(MPI_Win_shared_query(window.raw, Int32(rank), &bytes, &unit, &start), "MPI_Win_shared_query")
      // Sound: MPI maps at least byteCount + alignment bytes at `start`, and offset is below the alignment.
      parts.append(
        UnsafeMutableRawBufferPointer(start: start.map { $0 + layout[2 * rank] }, count: layout[2 * rank + 1]))
    }
    try check(cmpi_win_lock_all(window), "MPI_Win_lock_all")
    parts[node.rank].initializeMemory(as: UInt8.self, repeating: 0)
    try Self.fence(window, node)
    communicator = node
    self.parts = parts
    handle = window
  }

  /// The memory that `rank` of the node allocated, at this process's address of it; valid until `free`.
  public func part(of rank: Int) -> UnsafeMutableRawBufferPointer { parts[rank] }

  /// Makes this rank's stores visible to loads that follow a later `sync` of another rank.
  public func sync() throws {
    try check(MPI_Win_sync(handle.raw), "MPI_Win_sync")
  }

  /// What any rank stored before it is seen by all loads after it. Collective.
  public func fence() throws { try Self.fence(handle, communicator) }

  private static func fence(_ window: cmpi_win, _ node: Communicator) throws {
    try check(MPI_Win_sync(window.raw), "MPI_Win_sync")
    try node.barrier()
    try check(MPI_Win_sync(window.raw), "MPI_Win_sync")
  }

  /// Gives the memory of all ranks back. Collective.
  public consuming func free() throws {
    var handle = handle
    try check(MPI_Win_unlock_all(handle.raw), "MPI_Win_unlock_all")
    try check(MPI_Win_free(&handle.raw), "MPI_Win_free")
  }
}
