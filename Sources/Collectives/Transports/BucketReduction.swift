import MPI

/// The way of one bucket through its sums and messages, as far as it can be gone without waiting, or to the end.
///
/// Over shared memory, the work of a node's program is shared by its ranks, each with a lane of it: a rank begins when all have
/// their contributions, and is done when all are.
final class BucketReduction {
  /// Where the way has a stop.
  private enum Stop {
    /// Until some ranks of the node have come to a flag; then what they were waited for is used.
    case node(flag: Int, ranks: Range<Int>, then: () -> Void = {})
    /// Messages, and sums that are made meanwhile; then sums.
    case round(CompiledRound)
  }

  /// What the ranks of a node do with the sum when all parts of it are there.
  enum Ending {
    /// Nothing: each goes on with the part that it made, and they wait for each other elsewhere.
    case apart
    /// Each may read all of it from then on.
    case together
    /// Each copies all of it. Whoever made a part is not done before all have, if it lies where contributions come next.
    case copied(overContributions: Bool, copy: () -> Void)
  }

  /// The ranks of a node in the work on a bucket. Nobody waits for more of them than he must: where ranks outnumber cores, one
  /// that waits costs another its turn.
  struct Team {
    /// All of the node.
    let all: Range<Int>
    /// Those that make a part of the sum.
    let makers: Range<Int>
    /// Whether this rank is one of them.
    let makes: Bool
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
  ///   - flag: the first of `flagCount` flags in `memory` that are this bucket's.
  ///   - team: nil without `memory`.
  ///   - table: with all contributions and buffers of the program, set before `begin`.
  init(
    _ program: RankProgram?, table: OperandTable, lane: Communicator?, tag: Int, memory: SharedVectors?,
    flag: Int, team: Team?, ending: Ending
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
    let rounds = first.map(Stop.round) + second.map(Stop.round)
    if let team {
      let others = team.makes ? team.all : 0..<0
      let contributions = Stop.node(flag: flag, ranks: others) { [start, table] in start.forEach(table.execute) }
      func sums(then use: @escaping () -> Void = {}) -> Stop { .node(flag: flag + 1, ranks: team.makers, then: use) }
      let end: [Stop] =
        switch ending {
        case .apart: []
        case .together: [sums()]
        case .copied(overContributions: false, let copy): [sums(then: copy)]
        case .copied(overContributions: true, let copy): [sums(then: copy), .node(flag: flag + 2, ranks: others)]
        }
      stops = [contributions] + rounds + end
    } else {
      stops = rounds
    }
    middle = (team == nil ? 0 : 1) + first.count
    pool = RequestPool(capacity: (first + second).map { $0.sends.count + $0.receives.count }.max() ?? 0)
  }

  static let flagCount = 3

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
      case .node(let flag, let ranks, _):
        guard memory?.isRaised(flag, to: generation, by: ranks) ?? true else { return false }
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
      case .node(let flag, let ranks, _): memory?.wait(for: flag, of: generation, by: ranks)
      case .round: try pool.waitAll()
      }
      leave()
    }
  }

  /// Starts what the next stop waits for.
  private func arrive() throws {
    hasArrived = true
    switch stops[next] {
    case .node(let flag, _, _): memory?.raise(flag, to: generation)
    case .round(let round):
      try post(round)
      round.meanwhile.forEach(table.execute)
    }
  }

  /// Does what follows a stop.
  private func leave() {
    switch stops[next] {
    case .node(_, _, let then): then()
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
