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
  /// Of those, the first that have ended already.
  private var ended = 0
  // Has `capacity` elements, of which the first `count` are active. Only this struct, which has one owner, touches them.
  private let requests: UnsafeMutablePointer<cmpi_request>

  public init(capacity: Int) {
    self.capacity = capacity
    requests = .allocate(capacity: capacity)
    requests.initialize(repeating: cmpi_request_null(), count: capacity)
  }

  deinit { requests.deallocate() }

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

  /// Starts to send elements that stay unchanged until `waitAll`, and does not end before somebody has begun to receive them.
  public mutating func sendUntilTaken<T: MPIElement>(
    _ elements: UnsafePointer<T>, count elementCount: Int, to rank: Int, tag: Int = 0, on communicator: Communicator
  ) throws {
    precondition(count < capacity, "more than \(capacity) messages under way")
    try check(
      MPI_Issend(
        elements, cCount(elementCount), T.datatype.raw, Int32(rank), Int32(tag), communicator.handle.raw,
        &requests[count].raw), "MPI_Issend")
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
  /// - Throws: the first message's error, if any failed; the messages after it are then left to MPI.
  public mutating func waitAll() throws {
    let (first, started) = (ended, count)
    (ended, count) = (0, 0)
    // One by one, which progresses all: MPI_Waitall of Open MPI 4.1.4 (initialised with FUNNELED) does not return when
    // one of the requests has failed before.
    for index in first..<started { _ = try wait(for: &requests[index]) }
  }

  /// Makes progress and says whether all messages under way have ended; if so the pool is empty.
  ///
  /// - Throws: as `waitAll`.
  public mutating func testAll() throws -> Bool {
    while ended < count {
      guard try hasEnded(&requests[ended]) else { return false }
      ended += 1
    }
    (ended, count) = (0, 0)
    return true
  }
}
