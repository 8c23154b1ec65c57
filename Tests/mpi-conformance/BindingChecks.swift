import MPI

/// Which ranks share a node: they follow one another, so many on each.
func checkNodes(_ world: Communicator, _ checks: Checks, ranks: [Int]) throws {
  checks.expectEqual(try world.nodeCount(), ranks.count, "nodes")
  let nodes = ranks.indices.flatMap { [Int](repeating: $0, count: ranks[$0]) }
  checks.expectEqual(nodes.count, world.size, "ranks on all nodes")
  guard nodes.count == world.size else { return }
  let node = try world.splitByNode()
  checks.expectEqual(
    try node.allGather([world.rank]), (0..<world.size).filter { nodes[$0] == nodes[world.rank] }, "ranks on the node")
}

/// Communicators and what the library tells of itself.
func checkCommunicators(_ world: Communicator, _ checks: Checks) throws {
  let (rank, size) = (world.rank, world.size)
  checks.expect(!MPILibrary.version.isEmpty && !MPILibrary.version.contains("\n"), "version \(MPILibrary.version)")
  checks.expect(!MPILibrary.processorName.isEmpty, "no processor name")

  let twin = try world.duplicate()
  twin.name = "twin"
  checks.expectEqual(twin.name, "twin", "name")
  checks.expectEqual([twin.rank, twin.size], [rank, size], "rank and size of a duplicate")

  // Even and odd ranks apart, in reverse order.
  let half = try world.split(color: rank % 2, key: -rank)
  let members = (0..<size).filter { $0 % 2 == rank % 2 }
  checks.expectEqual(half?.size, members.count, "size of a split")
  checks.expectEqual(half?.rank, members.reversed().firstIndex(of: rank), "rank in a split")
  checks.expectEqual(try half?.allReduce(rank, .sum), members.reduce(0, +), "sum in a split")
  // Only rank 0 gives a color.
  let alone = try world.split(color: rank == 0 ? 5 : nil)
  checks.expectEqual(alone?.size, rank == 0 ? 1 : nil, "split without color")
  // Communicators are freed: this is more of them than a library has room for at once. Of one rank, so that it is quick.
  let own = try world.split(color: rank)
  for _ in 0..<70_000 { _ = try own?.duplicate() }
}

func checkBroadcast(_ world: Communicator, _ checks: Checks) throws {
  for root in 0..<world.size {
    for count in [0, 1, 5, 1000] {
      var numbers = (0..<count).map { Float($0 + 1000 * world.rank) }
      let expected = (0..<count).map { Float($0 + 1000 * root) }
      try world.broadcast(&numbers, root: root)
      checks.expectEqual(numbers, expected, "broadcast of \(count) from \(root)")
      var spanned = (0..<count).map { Int32($0 + world.rank) }
      var span = spanned.mutableSpan
      try world.broadcast(&span, root: root)
      checks.expectEqual(spanned, (0..<count).map { Int32($0 + root) }, "broadcast of a span from \(root)")
    }
    let text = try world.broadcast("grüße von \(world.rank)", root: root)
    checks.expectEqual(text, "grüße von \(root)", "broadcast of text")
    checks.expectEqual(try world.broadcast(world.rank == root ? "" : "x", root: root), "", "broadcast of no text")
  }
  checks.expectError(from: "MPI_Bcast") {
    var numbers = [1]
    try world.broadcast(&numbers, root: world.size)
  }
}

/// Reductions of every element type and operation, in place and out of place.
func checkAllReduce(_ world: Communicator, _ checks: Checks) throws {
  func integers<T: MPIElement & FixedWidthInteger>(_ type: T.Type) throws {
    let of: (Int) -> [T] = { rank in (0..<9).map { T(truncatingIfNeeded: 3 * $0 + 5 * rank + 1) } }
    let combine: [(ReductionOperation, (T, T) -> T)] = [
      (.sum, { $0 &+ $1 }), (.minimum, { min($0, $1) }), (.maximum, { max($0, $1) }), (.bitwiseOr, { $0 | $1 }),
      (.bitwiseAnd, { $0 & $1 }),
    ]
    for (operation, function) in combine {
      let expected = (0..<9).map { i in (1..<world.size).reduce(of(0)[i]) { function($0, of($1)[i]) } }
      var values = of(world.rank)
      try world.allReduce(&values, operation)
      checks.expectEqual(values, expected, "all-reduce of \(T.self), \(operation)")
    }
  }
  func reals<T: MPIElement & BinaryFloatingPoint>(_ type: T.Type) throws {
    // Small integers: exact in any order.
    let of: (Int) -> [T] = { rank in (0..<1001).map { T($0 % 7 - 3 + rank) } }
    let combine: [(ReductionOperation, (T, T) -> T)] = [(.sum, { $0 + $1 }), (.minimum, min), (.maximum, max)]
    for (operation, function) in combine {
      let expected = (0..<1001).map { i in (1..<world.size).reduce(of(0)[i]) { function($0, of($1)[i]) } }
      var values = of(world.rank)
      try world.allReduce(&values, operation)
      checks.expectEqual(values, expected, "all-reduce of \(T.self), \(operation)")
      let source = of(world.rank)
      var result = [T](repeating: 0, count: source.count)
      var span = result.mutableSpan
      try world.allReduce(source.span, into: &span, operation)
      checks.expectEqual(result, expected, "all-reduce out of place of \(T.self), \(operation)")
    }
    checks.expectError(from: "MPI_Allreduce") { _ = try world.allReduce(T(1), .bitwiseOr) }
  }
  try integers(UInt8.self)
  try integers(Int32.self)
  try integers(UInt32.self)
  try integers(Int64.self)
  try integers(UInt64.self)
  try integers(Int.self)
  try reals(Float.self)
  try reals(Double.self)
  var nothing: [Float] = []
  try world.allReduce(&nothing, .sum)
  try world.barrier()
}

func checkGather(_ world: Communicator, _ checks: Checks) throws {
  let (rank, size) = (world.rank, world.size)
  checks.expectEqual(try world.allGather([rank, -rank]), (0..<size).flatMap { [$0, -$0] }, "all-gather")
  checks.expectEqual(try world.allGather([Float]()), [], "all-gather of nothing")
  for root in 0..<size {
    checks.expectEqual(
      try world.gather([Double(rank)], root: root), rank == root ? (0..<size).map(Double.init) : [], "gather")
    // Rank r gives r elements, rank 0 none.
    let varying = try world.gatherVarying([UInt8](repeating: UInt8(rank), count: rank), root: root)
    let all = (0..<size).map { [UInt8](repeating: UInt8($0), count: $0) }
    checks.expectEqual(varying, rank == root ? all : [], "gather of any counts")
  }
  let varying = try world.allGatherVarying([Int32](repeating: Int32(rank), count: (size - rank) * 3 % 5))
  let expected = (0..<size).map { [Int32](repeating: Int32($0), count: (size - $0) * 3 % 5) }
  checks.expectEqual(varying, expected, "all-gather of any counts")
  let texts = try world.allGather(String(repeating: "é", count: rank))
  checks.expectEqual(texts, (0..<size).map { String(repeating: "é", count: $0) }, "all-gather of texts")
}

func checkPointToPoint(_ world: Communicator, _ checks: Checks) throws {
  let (rank, size) = (world.rank, world.size)
  // Short and long messages: MPI sends long ones only when the receive is posted.
  for count in [0, 1, 100, 300_000] {
    let numbers = (0..<count).map { Float($0 + rank) }
    if rank == 0 {
      for other in 1..<max(size, 1) {
        try world.send(numbers, to: other, tag: 3)
        let back = try world.receive(Float.self, capacity: count + 1, from: other, tag: 4)
        checks.expectEqual(back.count, count, "count received")
        checks.expect(back.elementsEqual((0..<count).map { Float($0 + other) }), "numbers from \(other)")
      }
    } else {
      var received = [Float](repeating: -1, count: count)
      var span = received.mutableSpan
      checks.expectEqual(try world.receive(into: &span, from: 0, tag: 3), count, "count received")
      checks.expect(received.elementsEqual((0..<count).map { Float($0) }), "numbers from 0")
      try world.send(numbers.span, to: 0, tag: 4)
    }
    // Everybody to the next at once.
    var received = [Float](repeating: -1, count: count)
    let previous = (rank + size - 1) % size
    try numbers.withUnsafeBufferPointer { own in
      try received.withUnsafeMutableBufferPointer {
        try world.sendReceive(own, to: (rank + 1) % size, into: $0, from: previous)
      }
    }
    checks.expect(received.elementsEqual((0..<count).map { Float($0 + previous) }), "numbers sent round")
  }
  checks.expectError(from: "MPI_Send") { try world.send([1], to: size) }
  checks.expectError(from: "MPI_Recv") { _ = try world.receive(Int.self, capacity: 1, from: size) }
  // A message longer than its buffer.
  let sending = try world.startSend([1, 2, 3], to: rank)
  checks.expectError(from: "MPI_Recv") { _ = try world.receive(Int.self, capacity: 2, from: rank) }
  try sending.wait()
}
