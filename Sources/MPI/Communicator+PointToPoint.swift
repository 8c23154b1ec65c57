import CMPI

extension Communicator {
  /// Sends elements to a rank and returns when they may be overwritten.
  ///
  /// It may wait for the receive to be posted; two ranks that send to each other first need `sendReceive` or requests.
  public func send<T: MPIElement>(_ elements: UnsafeBufferPointer<T>, to rank: Int, tag: Int = 0) throws {
    try check(
      MPI_Send(elements.baseAddress, cCount(elements.count), T.datatype.raw, Int32(rank), Int32(tag), handle.raw),
      "MPI_Send")
  }

  /// Sends elements to a rank.
  public func send<T: MPIElement>(_ elements: Span<T>, to rank: Int, tag: Int = 0) throws {
    try elements.withUnsafeBufferPointer { try send($0, to: rank, tag: tag) }
  }

  /// Sends elements to a rank.
  public func send<T: MPIElement>(_ elements: [T], to rank: Int, tag: Int = 0) throws {
    try elements.withUnsafeBufferPointer { try send($0, to: rank, tag: tag) }
  }

  /// Receives from a rank at most as many elements as `elements` has room for and returns how many came.
  ///
  /// A longer message is an error (`MPI_ERR_TRUNCATE`).
  @discardableResult
  public func receive<T: MPIElement>(
    into elements: UnsafeMutableBufferPointer<T>, from rank: Int, tag: Int = 0
  ) throws -> Int {
    var status = MPI_Status()
    try check(
      MPI_Recv(
        elements.baseAddress, cCount(elements.count), T.datatype.raw, Int32(rank), Int32(tag), handle.raw, &status),
      "MPI_Recv")
    var count: Int32 = 0
    try check(MPI_Get_count(&status, T.datatype.raw, &count), "MPI_Get_count")
    return Int(count)
  }

  /// Receives from a rank at most as many elements as `elements` has room for and returns how many came.
  @discardableResult
  public func receive<T: MPIElement>(into elements: inout MutableSpan<T>, from rank: Int, tag: Int = 0) throws -> Int {
    try elements.withUnsafeMutableBufferPointer { try receive(into: $0, from: rank, tag: tag) }
  }

  /// Receives a message of at most `capacity` elements from a rank.
  public func receive<T: MPIElement>(_ type: T.Type, capacity: Int, from rank: Int, tag: Int = 0) throws -> [T] {
    try [T](unsafeUninitializedCapacity: capacity) { buffer, initialized in
      initialized = try receive(into: UnsafeMutableBufferPointer(rebasing: buffer[..<capacity]), from: rank, tag: tag)
    }
  }

  /// Sends to one rank and receives from another (or the same) at the same time; the two buffers do not overlap.
  public func sendReceive<T: MPIElement>(
    _ elements: UnsafeBufferPointer<T>, to destination: Int, into received: UnsafeMutableBufferPointer<T>,
    from source: Int, tag: Int = 0
  ) throws {
    var status = MPI_Status()
    try check(
      MPI_Sendrecv(
        elements.baseAddress, cCount(elements.count), T.datatype.raw, Int32(destination), Int32(tag),
        received.baseAddress, cCount(received.count), T.datatype.raw, Int32(source), Int32(tag), handle.raw, &status),
      "MPI_Sendrecv")
  }
}
