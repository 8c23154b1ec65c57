import CMPI

extension Communicator {
  /// Returns when every rank has called it. Collective.
  public func barrier() throws {
    try check(MPI_Barrier(handle.raw), "MPI_Barrier")
  }

  // MARK: - Broadcast

  /// Copies the root's elements to every rank. Collective; equal counts everywhere.
  public func broadcast<T: MPIElement>(_ elements: UnsafeMutableBufferPointer<T>, root: Int = 0) throws {
    try forEachPiece(of: elements.count) { piece in
      let slice = UnsafeMutableBufferPointer(rebasing: elements[piece])
      try check(
        MPI_Bcast(slice.baseAddress, cCount(slice.count), T.datatype.raw, Int32(root), handle.raw), "MPI_Bcast")
    }
  }

  /// Copies the root's elements to every rank. Collective; equal counts everywhere.
  public func broadcast<T: MPIElement>(_ elements: inout MutableSpan<T>, root: Int = 0) throws {
    try elements.withUnsafeMutableBufferPointer { try broadcast($0, root: root) }
  }

  /// Copies the root's elements to every rank. Collective; equal counts everywhere.
  public func broadcast<T: MPIElement>(_ elements: inout [T], root: Int = 0) throws {
    try elements.withUnsafeMutableBufferPointer { try broadcast($0, root: root) }
  }

  /// The root's bytes, whose number only the root knows. Collective.
  public func broadcastBytes(_ bytes: [UInt8], root: Int = 0) throws -> [UInt8] {
    var count = [bytes.count]
    try broadcast(&count, root: root)
    var copy = rank == root ? bytes : [UInt8](repeating: 0, count: count[0])
    try broadcast(&copy, root: root)
    return copy
  }

  /// The root's text. Collective.
  public func broadcast(_ text: String, root: Int = 0) throws -> String {
    String(decoding: try broadcastBytes(Array(text.utf8), root: root), as: UTF8.self)
  }

  // MARK: - All-reduce

  /// Replaces each element by its combination over all ranks. Collective; equal counts everywhere.
  public func allReduce<T: MPIElement>(
    _ elements: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation
  ) throws {
    try forEachPiece(of: elements.count) { piece in
      let slice = UnsafeMutableBufferPointer(rebasing: elements[piece])
      try check(
        MPI_Allreduce(
          cmpi_in_place(), slice.baseAddress, cCount(slice.count), T.datatype.raw, operation.handle.raw, handle.raw),
        "MPI_Allreduce")
    }
  }

  /// Replaces each element by its combination over all ranks. Collective; equal counts everywhere.
  public func allReduce<T: MPIElement>(_ elements: inout MutableSpan<T>, _ operation: ReductionOperation) throws {
    try elements.withUnsafeMutableBufferPointer { try allReduce($0, operation) }
  }

  /// Replaces each element by its combination over all ranks. Collective; equal counts everywhere.
  public func allReduce<T: MPIElement>(_ elements: inout [T], _ operation: ReductionOperation) throws {
    try elements.withUnsafeMutableBufferPointer { try allReduce($0, operation) }
  }

  /// Combines the elements of `source` over all ranks into `result`, which does not overlap it. Collective.
  public func allReduce<T: MPIElement>(
    _ source: UnsafeBufferPointer<T>, into result: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation
  ) throws {
    precondition(source.count == result.count, "\(source.count) elements into \(result.count)")
    try forEachPiece(of: source.count) { piece in
      let from = UnsafeBufferPointer(rebasing: source[piece])
      let to = UnsafeMutableBufferPointer(rebasing: result[piece])
      try check(
        MPI_Allreduce(
          from.baseAddress, to.baseAddress, cCount(to.count), T.datatype.raw, operation.handle.raw, handle.raw),
        "MPI_Allreduce")
    }
  }

  /// Combines the elements of `source` over all ranks into `result`. Collective; equal counts everywhere.
  public func allReduce<T: MPIElement>(
    _ source: Span<T>, into result: inout MutableSpan<T>, _ operation: ReductionOperation
  ) throws {
    try source.withUnsafeBufferPointer { from in
      try result.withUnsafeMutableBufferPointer { try allReduce(from, into: $0, operation) }
    }
  }

  /// One number combined over all ranks. Collective.
  public func allReduce<T: MPIElement>(_ value: T, _ operation: ReductionOperation) throws -> T {
    var values = [value]
    try allReduce(&values, operation)
    return values[0]
  }

  // MARK: - Gather, equal counts

  /// The elements of all ranks in rank order, on the root; empty elsewhere. Collective; equal counts everywhere.
  public func gather<T: MPIElement>(_ elements: [T], root: Int = 0) throws -> [T] {
    try filled(count: rank == root ? elements.count * size : 0) { result in
      try elements.withUnsafeBufferPointer { own in
        try check(
          MPI_Gather(
            own.baseAddress, cCount(own.count), T.datatype.raw, result.baseAddress, cCount(own.count), T.datatype.raw,
            Int32(root), handle.raw), "MPI_Gather")
      }
    }
  }

  /// The elements of all ranks in rank order, on every rank. Collective; equal counts everywhere.
  public func allGather<T: MPIElement>(_ elements: [T]) throws -> [T] {
    try filled(count: elements.count * size) { result in
      try elements.withUnsafeBufferPointer { own in
        try check(
          MPI_Allgather(
            own.baseAddress, cCount(own.count), T.datatype.raw, result.baseAddress, cCount(own.count), T.datatype.raw,
            handle.raw), "MPI_Allgather")
      }
    }
  }

  // MARK: - Gather, each rank its own count

  /// Every rank's elements, an array for each rank, on the root; empty elsewhere. Collective; any counts.
  public func gatherVarying<T: MPIElement>(_ elements: [T], root: Int = 0) throws -> [[T]] {
    let layout = Layout(counts: try gather([elements.count], root: root))
    let all = try filled(count: layout.total, of: T.self) { result in
      try elements.withUnsafeBufferPointer { own in
        try check(
          MPI_Gatherv(
            own.baseAddress, cCount(own.count), T.datatype.raw, result.baseAddress, layout.counts, layout.offsets,
            T.datatype.raw, Int32(root), handle.raw), "MPI_Gatherv")
      }
    }
    return layout.split(all)
  }

  /// Every rank's elements, an array for each rank, on every rank. Collective; any counts.
  public func allGatherVarying<T: MPIElement>(_ elements: [T]) throws -> [[T]] {
    let layout = Layout(counts: try allGather([elements.count]))
    let all = try filled(count: layout.total, of: T.self) { result in
      try elements.withUnsafeBufferPointer { own in
        try check(
          MPI_Allgatherv(
            own.baseAddress, cCount(own.count), T.datatype.raw, result.baseAddress, layout.counts, layout.offsets,
            T.datatype.raw, handle.raw), "MPI_Allgatherv")
      }
    }
    return layout.split(all)
  }

  /// Every rank's text, in rank order, on every rank. Collective.
  public func allGather(_ text: String) throws -> [String] {
    try allGatherVarying(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Fills each rank's part of `elements` from that rank, in place. Collective.
  ///
  /// - Parameter parts: for each rank the range that it holds, equal on all ranks; together they need not cover all.
  public func allGather<T: MPIElement>(
    inPlace elements: UnsafeMutableBufferPointer<T>, parts: [Range<Int>]
  ) throws {
    precondition(parts.count == size && parts.allSatisfy { $0.upperBound <= elements.count }, "parts \(parts)")
    try check(
      MPI_Allgatherv(
        cmpi_in_place(), 0, T.datatype.raw, elements.baseAddress, parts.map { cCount($0.count) },
        parts.map { cCount($0.lowerBound) }, T.datatype.raw, handle.raw), "MPI_Allgatherv")
  }
}

/// Where each rank's elements lie in a gathered buffer.
private struct Layout {
  let counts: [Int32]
  let offsets: [Int32]
  let total: Int

  init(counts: [Int]) {
    self.counts = counts.map(cCount)
    var total = 0
    offsets = counts.map { count in
      defer { total += count }
      return cCount(total)
    }
    self.total = total
  }

  func split<T>(_ all: [T]) -> [[T]] {
    zip(counts, offsets).map { count, offset in Array(all[Int(offset)..<Int(offset + count)]) }
  }
}

/// An array of `count` elements that `fill` writes.
private func filled<T: MPIElement>(
  count: Int, of: T.Type = T.self, _ fill: (UnsafeMutableBufferPointer<T>) throws -> Void
) throws -> [T] {
  try [T](unsafeUninitializedCapacity: count) { buffer, initialized in
    try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
    initialized = count
  }
}
