import CMPI

/// A send under way, which owns the elements it sends.
///
/// `wait` consumes it: to use it again, or to wait twice, does not compile. Dropped without a wait (as when an error
/// unwinds the stack) it leaves its buffer allocated for the rest of the process, because MPI may still read it.
public struct PendingSend<Element: MPIElement>: ~Copyable {
  private let buffer: UnsafeMutableBufferPointer<Element>
  private var request: cmpi_request

  init(_ elements: [Element], to rank: Int, tag: Int, on communicator: Communicator) throws {
    // The buffer is ours alone until `wait`, so nobody can write what MPI reads.
    let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
    _ = buffer.initialize(from: elements)
    var request = cmpi_request_null()
    try check(
      MPI_Isend(
        buffer.baseAddress, cCount(buffer.count), Element.datatype.raw, Int32(rank), Int32(tag),
        communicator.handle.raw, &request.raw), "MPI_Isend")
    self.buffer = buffer
    self.request = request
  }

  /// Returns when the elements have been taken over by MPI.
  public consuming func wait() throws {
    _ = try MPI.wait(for: &request)
    buffer.deallocate()
  }
}

/// A receive under way, which owns the memory it writes to.
///
/// `wait` consumes it and hands the elements over: they cannot be looked at before they have come. Dropped without a
/// wait it leaves its buffer allocated for the rest of the process, because MPI may still write to it.
public struct PendingReceive<Element: MPIElement>: ~Copyable {
  private let buffer: UnsafeMutableBufferPointer<Element>
  private var request: cmpi_request

  init(capacity: Int, from rank: Int, tag: Int, on communicator: Communicator) throws {
    let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: capacity)
    var request = cmpi_request_null()
    try check(
      MPI_Irecv(
        buffer.baseAddress, cCount(capacity), Element.datatype.raw, Int32(rank), Int32(tag), communicator.handle.raw,
        &request.raw), "MPI_Irecv")
    self.buffer = buffer
    self.request = request
  }

  /// Returns the elements when they have come.
  public consuming func wait() throws -> [Element] {
    var status = try MPI.wait(for: &request)
    var count: Int32 = 0
    try check(MPI_Get_count(&status, Element.datatype.raw, &count), "MPI_Get_count")
    defer { buffer.deallocate() }
    return Array(buffer[..<Int(count)])
  }
}

extension Communicator {
  /// Starts to send a copy of the elements.
  public func startSend<T: MPIElement>(_ elements: [T], to rank: Int, tag: Int = 0) throws -> PendingSend<T> {
    try PendingSend(elements, to: rank, tag: tag, on: self)
  }

  /// Starts to receive at most `capacity` elements.
  public func startReceive<T: MPIElement>(
    _ type: T.Type, capacity: Int, from rank: Int, tag: Int = 0
  ) throws -> PendingReceive<T> {
    try PendingReceive(capacity: capacity, from: rank, tag: tag, on: self)
  }
}

/// Returns when a message has ended.
func wait(for request: inout cmpi_request) throws -> MPI_Status {
  // Open MPI returns success for a request that failed before the wait and puts the error into the status, which no other
  // library touches here.
  var status = MPI_Status()
  status.MPI_ERROR = cmpi_success()
  try check(MPI_Wait(&request.raw, &status), "MPI_Wait")
  try check(status.MPI_ERROR, "MPI_Wait")
  return status
}

/// Whether a message has ended; makes progress.
func hasEnded(_ request: inout cmpi_request) throws -> Bool {
  var status = MPI_Status()
  status.MPI_ERROR = cmpi_success()
  var flag: Int32 = 0
  try check(MPI_Test(&request.raw, &flag, &status), "MPI_Test")
  if flag != 0 { try check(status.MPI_ERROR, "MPI_Test") }
  return flag != 0
}
