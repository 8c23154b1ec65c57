import MPI

/// The way of one bucket through its sums and messages, as far as it can be gone without waiting, or to the end.
///
/// Over shared memory, the work of a node's program is shared by its ranks, each with a lane of it: a rank begins when all have
/// their contributions, and is done when all are.
final class BucketReduction {
  /// Where the way has a stop.
  private enum Stop {
    /// Until all ranks of the node have come to a flag.
    case node(flag: Int)
    /// Messages, and sums that are made meanwhile; then sums.
    case round(CompiledRound)
  }

  let owned: [Range<Int>]
  private let start: [CompiledSum]
  private let stops: [Stop]
  /// The first stop of the second half.
  private let middle: Int
  private let table: OperandTable
  private let memory: SharedVectors?
  private let lane: Communicator?
  private let tag: Int
  private var pool: RequestPool
  private var next = 0
  /// Whether what the next stop waits for has been started.
  private var hasArrived = false
  private let flag: Int
  /// What the flags come to in this turn of the bucket.
  private var generation: UInt = 0
  private(set) var traffic = Traffic()

  /// - Parameters:
  ///   - program: nil for a rank that takes part in nothing but waiting.
  ///   - lane: the ranks that the program's messages go to.
  ///   - flag: the first of two flags in `memory` that are this bucket's.
  ///   - table: with all contributions and buffers of the program, set before `begin`.
  init(
    _ program: RankProgram?, table: OperandTable, lane: Communicator?, tag: Int, memory: SharedVectors?,
    flag: Int
  ) {
    let hosted = table.hosted
    self.table = table
    self.lane = lane
    self.memory = memory
    self.tag = tag
    self.flag = flag
    owned = program?.owned ?? []
    start = program?.start.map { CompiledSum($0, hosted: hosted) } ?? []
    let first = program?.reduceScatter.map { CompiledRound($0, hosted: hosted) } ?? []
    let second = program?.allGather.map { CompiledRound($0, hosted: hosted) } ?? []
    let isShared = memory != nil
    stops =
      (isShared ? [.node(flag: flag)] : []) + first.map(Stop.round) + second.map(Stop.round)
      + (isShared ? [.node(flag: flag + 1)] : [])
    middle = (isShared ? 1 : 0) + first.count
    pool = RequestPool(capacity: (first + second).map { $0.sends.count + $0.receives.count }.max() ?? 0)
  }

  /// Starts with contributions that are there.
  func begin() throws {
    precondition(next == 0 && !hasArrived, "a bucket that is under way")
    // Other reducers may have used the flags before; all ranks have left them alike.
    generation = (memory?.value(of: flag) ?? 0) + 1
    if memory == nil { start.forEach(table.execute) }
    if !stops.isEmpty { try arrive() }
  }

  /// Goes on as far as it can without waiting; says whether the sum is there. The next `begin` may follow then.
  func advance() throws -> Bool {
    while next < stops.count {
      if !hasArrived { try arrive() }
      switch stops[next] {
      case .node(let flag):
        guard memory?.isRaised(flag, to: generation) ?? true else { return false }
      case .round:
        guard try pool.testAll() else { return false }
      }
      leave()
    }
    next = 0
    return true
  }

  /// Returns when the first half is done.
  func waitForOwned() throws { try wait(until: middle) }

  /// Returns when the sum is there.
  func waitForAll() throws {
    try wait(until: stops.count)
    next = 0
  }

  private func wait(until end: Int) throws {
    while next < end {
      if !hasArrived { try arrive() }
      switch stops[next] {
      case .node(let flag): memory?.wait(for: flag, of: generation)
      case .round: try pool.waitAll()
      }
      leave()
    }
  }

  /// Starts what the next stop waits for.
  private func arrive() throws {
    hasArrived = true
    switch stops[next] {
    case .node(let flag): memory?.raise(flag, to: generation)
    case .round(let round):
      try post(round)
      round.meanwhile.forEach(table.execute)
    }
  }

  /// Does what follows a stop.
  private func leave() {
    switch stops[next] {
    case .node: if next == 0 { start.forEach(table.execute) }
    case .round(let round): round.sums.forEach(table.execute)
    }
    next += 1
    hasArrived = false
  }

  /// Sound: the schedule's messages lie in the bucket, and in a round none overlaps another that writes; the memory is the
  /// caller's until the round has ended.
  private func post(_ round: CompiledRound) throws {
    guard let lane else { preconditionFailure("a message without ranks") }
    for receive in round.receives {
      try pool.receive(
        table.buffer(receive.buffer) + receive.elements.lowerBound, count: receive.elements.count, from: receive.source,
        tag: tag, on: lane)
    }
    for send in round.sends {
      let base =
        switch send.operand {
        case .contribution(let shard): table.contribution(ofShard: shard)
        case .buffer(let buffer): UnsafePointer(table.buffer(buffer))
        }
      try pool.send(
        base + send.elements.lowerBound, count: send.elements.count, to: send.destination, tag: tag, on: lane)
      traffic.messages += 1
      traffic.bytes += send.elements.count * MemoryLayout<Float>.stride
    }
    traffic.rounds += 1
  }
}

/// A round as it is carried out.
private struct CompiledRound {
  let sends: [Send]
  let receives: [Receive]
  let meanwhile: [CompiledSum]
  let sums: [CompiledSum]

  init(_ round: Round, hosted: Range<Int>) {
    (sends, receives) = (round.sends, round.receives)
    meanwhile = round.meanwhile.map { CompiledSum($0, hosted: hosted) }
    sums = round.sums.map { CompiledSum($0, hosted: hosted) }
  }
}
