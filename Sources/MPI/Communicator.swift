import CMPI

/// A group of ranks that exchange messages in a space of their own.
///
/// Every method whose comment says "Collective." is called by all ranks of the communicator, in the same order. Calls
/// come from the thread that entered `withMPI` (under `.serialized`, from one thread at a time): the class is not
/// `Sendable`. A communicator frees itself when the last reference goes, the world excepted.
public final class Communicator {
  /// This process's number, `0..<size`.
  public let rank: Int
  /// The number of ranks.
  public let size: Int
  let handle: cmpi_comm
  private let isOwned: Bool

  init(_ handle: cmpi_comm, owned: Bool) throws {
    var rank: Int32 = 0
    var size: Int32 = 0
    try check(MPI_Comm_rank(handle.raw, &rank), "MPI_Comm_rank")
    try check(MPI_Comm_size(handle.raw, &size), "MPI_Comm_size")
    self.handle = handle
    self.rank = Int(rank)
    self.size = Int(size)
    isOwned = owned
  }

  deinit {
    guard isOwned else { return }
    var finalized: Int32 = 0
    _ = MPI_Finalized(&finalized)
    if finalized == 0 {
      var handle = handle
      _ = MPI_Comm_free(&handle.raw)
    }
  }

  /// The name that tools and MPI's error texts show.
  public var name: String {
    get { cString(capacity: cmpi_max_object_name()) { MPI_Comm_get_name(handle.raw, $0, $1) } ?? "" }
    set { _ = MPI_Comm_set_name(handle.raw, String(newValue.utf8.prefix(Int(cmpi_max_object_name()) - 1)) ?? "") }
  }

  // MARK: - Making other communicators

  /// The same ranks with a message space of their own. Collective.
  public func duplicate() throws -> Communicator {
    var new = cmpi_comm_null()
    try check(MPI_Comm_dup(handle.raw, &new.raw), "MPI_Comm_dup")
    return try Communicator(new, owned: true)
  }

  /// The ranks that give the same color, ordered by key and then by rank; nil for a rank that gives no color. Collective.
  ///
  /// - Parameter color: not negative.
  public func split(color: Int?, key: Int = 0) throws -> Communicator? {
    precondition(color ?? 0 >= 0, "color \(color ?? 0) is negative")
    var new = cmpi_comm_null()
    let color = color.map { Int32($0) } ?? cmpi_undefined()
    try check(MPI_Comm_split(handle.raw, color, Int32(key), &new.raw), "MPI_Comm_split")
    return cmpi_comm_is_null(new) != 0 ? nil : try Communicator(new, owned: true)
  }

  /// The ranks that can share memory with this one, in this communicator's order. Collective.
  public func splitByNode() throws -> Communicator {
    var new = cmpi_comm_null()
    try check(cmpi_comm_split_by_node(handle, &new), "MPI_Comm_split_type")
    return try Communicator(new, owned: true)
  }

  /// The number of nodes: groups of ranks that can share memory. Collective.
  public func nodeCount() throws -> Int {
    try allReduce(splitByNode().rank == 0 ? 1 : 0, .sum)
  }

  /// Ends all ranks at once with an exit code; the launcher reports it as the job's.
  public func abort(code: Int32) -> Never {
    _ = MPI_Abort(handle.raw, code)
    fatalError("MPI_Abort returned")
  }
}
