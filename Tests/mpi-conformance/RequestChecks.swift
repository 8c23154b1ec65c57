import MPI

/// Messages under way together.
func checkRequests(_ world: Communicator, _ checks: Checks) throws {
  let (rank, size) = (world.rank, world.size)
  let next = (rank + 1) % size
  let previous = (rank + size - 1) % size

  for count in [0, 1, 1000, 200_000] {
    let incoming = try world.startReceive(Float.self, capacity: count + 7, from: previous, tag: 9)
    let outgoing = try world.startSend((0..<count).map { Float($0 + rank) }, to: next, tag: 9)
    let received = try incoming.wait()
    try outgoing.wait()
    checks.expect(received == (0..<count).map { Float($0 + previous) }, "\(count) elements by requests")
  }

  // Everybody sends everybody a message of its own length, twice, by one pool.
  let longest = 50_000
  var pool = RequestPool(capacity: 2 * size)
  let length: (Int, Int) -> Int = { from, to in (from * 7 + to * 13) % 11 * (longest / 11) }
  let sent = (0..<longest).map { Int32($0 + rank) }
  for _ in 0..<2 {
    var inbox = [Int32](repeating: -1, count: longest * size)
    try inbox.withUnsafeMutableBufferPointer { inbox in
      try sent.withUnsafeBufferPointer { sent in
        guard let inbox = inbox.baseAddress, let sent = sent.baseAddress else { return }
        for other in 0..<size {
          try pool.receive(inbox + longest * other, count: length(other, rank), from: other, on: world)
        }
        for other in 0..<size { try pool.send(sent, count: length(rank, other), to: other, on: world) }
        checks.expectEqual(pool.count, 2 * size, "messages under way")
        try pool.waitAll()
      }
    }
    checks.expectEqual(pool.count, 0, "messages under way after the wait")
    let expected = (0..<size).flatMap { other in
      (0..<longest).map { $0 < length(other, rank) ? Int32($0 + other) : -1 }
    }
    checks.expect(inbox == expected, "messages of all to all")
  }
  try pool.waitAll()

  // A short message ends at once, but for one that has to be taken: nobody receives before the barrier.
  let number = UnsafeMutablePointer<Int32>.allocate(capacity: 2)
  defer { number.deallocate() }
  (number[0], number[1]) = (Int32(rank), -1)
  try pool.sendUntilTaken(UnsafePointer(number), count: 1, to: next, tag: 3, on: world)
  for _ in 0..<100 { checks.expect(try !pool.testAll(), "a message ended that nobody has taken") }
  try world.barrier()
  try world.receive(into: UnsafeMutableBufferPointer(start: number + 1, count: 1), from: previous, tag: 3)
  try pool.waitAll()
  checks.expectEqual(number[1], Int32(previous), "a message that has to be taken")

  // One of several messages is too long: the error is that message's. The send comes first, because Open MPI 4.1.4 misses
  // the error of a message to oneself whose receive is posted already.
  try world.barrier()
  let short = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
  defer { short.deallocate() }
  let four: [Int32] = [1, 2, 3, 4]
  try four.withUnsafeBufferPointer { four in
    guard let four = four.baseAddress else { return }
    try pool.send(four, count: 4, to: rank, tag: 1, on: world)
    try pool.receive(short, count: 1, from: rank, tag: 1, on: world)
    checks.expectError(from: "MPI_Wait") { try pool.waitAll() }
    checks.expectError(from: "MPI_Isend") { try pool.send(four, count: 4, to: size, on: world) }
  }
  checks.expectEqual(pool.count, 0, "messages under way after an error")
}

/// Shared memory: every rank reads what every other wrote, and writes to another's part.
func checkWindows(_ world: Communicator, _ checks: Checks) throws {
  let node = try world.splitByNode()
  for bytes in [0, 4, 64, 1000, 1 << 20] {
    // Ranks ask for different amounts.
    let size: (Int) -> Int = { bytes + 12 * $0 }
    let window = try SharedWindow(on: node, byteCount: size(node.rank))
    for rank in 0..<node.size {
      let part = window.part(of: rank)
      checks.expectEqual(part.count, size(rank), "bytes of rank \(rank)'s part")
      checks.expect(UInt(bitPattern: part.baseAddress) % 64 == 0, "alignment of rank \(rank)'s part")
      checks.expect(part.allSatisfy { $0 == 0 }, "rank \(rank)'s part is not zero at first")
    }
    try window.fence()
    let own = window.part(of: node.rank)
    for index in own.indices { own[index] = UInt8(truncatingIfNeeded: index &* 31 &+ node.rank) }
    try window.fence()
    for rank in 0..<node.size {
      let part = window.part(of: rank)
      let right = part.indices.allSatisfy { part[$0] == UInt8(truncatingIfNeeded: $0 &* 31 &+ rank) }
      checks.expect(right, "what rank \(rank) wrote, seen by \(node.rank), \(bytes) bytes")
    }
    try window.fence()
    let neighbour = window.part(of: (node.rank + 1) % node.size)
    for index in neighbour.indices { neighbour[index] = UInt8(node.rank + 100) }
    try window.fence()
    let writer = (node.rank + node.size - 1) % node.size
    checks.expect(own.allSatisfy { $0 == UInt8(writer + 100) }, "what rank \(writer) wrote to this part")
    try window.free()
  }
}
