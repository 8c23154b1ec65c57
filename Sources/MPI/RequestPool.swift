import CMPI

/// Room for many sends and receives that are under way together, over memory that the caller owns.
///
/// For inner loops: all handles are allocated when the pool is made, none when a message starts. The caller keeps each
/// buffer alive, leaves receive buffers alone and does not write send buffers until `waitAll` has returned. Dropped with
/// messages under way (as when an error unwinds the stack) the pool cancels nothing: their buffers stay MPI's.
public struct RequestPool: ~Copyable {
  /// The most messages that can be under way together.
  public let capacity: Int
  /// The messages under way.
  public private(set) var count = 0
  // Both arrays have `capacity` elements; the first `count` handles are active. Only this struct, which has one owner,
  // touches them.
  private let requests: UnsafeMutablePointer<cmpi_request>
  private let statuses: UnsafeMutablePointer<MPI_Status>

  public init(capacity: Int) {
    self.capacity = capacity
    requests = .allocate(capacity: capacity)
    requests.initialize(repeating: cmpi_request_null(), count: capacity)
    statuses = .allocate(capacity: capacity)
    statuses.initialize(repeating: MPI_Status(), count: capacity)
  }

  deinit {
    requests.deallocate()
    statuses.deallocate()
  }

  /// Starts to send elements that stay unchanged until `waitAll`.
  public mutating func send<T: MPIElement>(
    _ elements: UnsafePointer<T>, count elementCount: Int, to rank: Int, tag: Int = 0, on communicator: Communicator
  ) throws {
    precondition(count < capacity, "more than \(capacity) messages under way")
    try check(
      MPI_Isend(
        elements, cCount(elementCount), T.datatype.raw, Int32(rank), Int32(tag), communicator.handle.raw,
        &requests[count].raw), "MPI_Isend")
    count += 1
  }

  /// Starts to receive elements into memory that nobody else touches until `waitAll`.
  public mutating func receive<T: MPIElement>(
    _ elements: UnsafeMutablePointer<T>, count elementCount: Int, from rank: Int, tag: Int = 0,
    on communicator: Communicator
  ) throws {
    precondition(count < capacity, "more than \(capacity) messages under way")
    try check(
      MPI_Irecv(
        elements, cCount(elementCount), T.datatype.raw, Int32(rank), Int32(tag), communicator.handle.raw,
        &requests[count].raw), "MPI_Irecv")
    count += 1
  }

  /// Returns when all messages under way have ended; afterwards the pool is empty.
  ///
  /// - Throws: the first message's error, if any failed.
  public mutating func waitAll() throws {
    let started = count
    guard started > 0 else { return }
    count = 0
    let code = cmpi_wait_all(Int32(started), requests, statuses)
    if code == cmpi_err_in_status() {
      for index in 0..<started { try check(statuses[index].MPI_ERROR, "MPI_Waitall") }
    }
    try check(code, "MPI_Waitall")
  }
}
