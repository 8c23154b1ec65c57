/// A proof, by execution on symbols, that a schedule adds every shard's contribution to every element exactly once and in
/// the stated order, and that no message overlaps another that writes.
public struct ScheduleProof {
  /// What is wrong with the schedule; empty if it is right.
  public private(set) var faults: [String] = []

  public init(_ schedule: Schedule) {
    let placement = schedule.placement
    var expected: [Int] = []
    for chunk in 0..<placement.shards { expected += schedule.chunk(chunk).map { _ in chunk } }
    let sequences = (0..<placement.shards).map { schedule.order.sequence(chunk: $0, shards: placement.shards) }

    let memories = (0..<placement.ranks).map { rank in
      SymbolicMemory(sequences: sequences, chunkOfElement: expected, hosted: placement.shards(of: rank))
    }
    var lockstep = Lockstep(schedule, memories: memories)
    lockstep.reduceScatter()
    for (rank, memory) in lockstep.memories.enumerated() {
      for element in schedule.owned(by: rank) where memory.added[element] != placement.shards {
        faults.append("rank \(rank) owns element \(element) unfinished: \(memory.added[element]) shards")
      }
    }
    lockstep.allGather()
    for (rank, memory) in lockstep.memories.enumerated() {
      faults += memory.faults.map { "rank \(rank): \($0)" }
      for element in 0..<schedule.elements where memory.added[element] != placement.shards {
        faults.append("rank \(rank) ends with element \(element) unfinished: \(memory.added[element]) shards")
      }
    }
    for rank in 0..<placement.ranks {
      let program = schedule.program(of: rank)
      for (index, round) in (program.reduceScatter + program.allGather).enumerated() {
        faults += round.overlaps.map { "rank \(rank), round \(index): \($0)" }
      }
    }
  }
}

extension Round {
  /// Elements of the result buffer that are written by one message while another reads or writes them.
  var overlaps: [String] {
    var found: [String] = []
    for (index, receive) in receives.enumerated() {
      for other in receives.dropFirst(index + 1) where receive.elements.overlaps(other.elements) {
        found.append("two messages write \(receive.elements) and \(other.elements)")
      }
      for send in sends where send.source == .result && receive.elements.overlaps(send.elements) {
        found.append("\(receive.elements) is written while \(send.elements) is sent")
      }
    }
    return found
  }
}

/// Buffers whose elements stand for partial sums: how many shards of the element's sequence have been added.
///
/// A sum may only grow by the next shard of its element's sequence, so this number says which shards are in it.
private struct SymbolicMemory: RankMemory {
  let sequences: [[Int]]
  let chunkOfElement: [Int]
  let hosted: Range<Int>
  /// 0 for what is not a sum.
  var added: [Int]
  var faults: [String] = []

  init(sequences: [[Int]], chunkOfElement: [Int], hosted: Range<Int>) {
    self.sequences = sequences
    self.chunkOfElement = chunkOfElement
    self.hosted = hosted
    added = Array(repeating: 0, count: chunkOfElement.count)
  }

  /// The number of shards in a sum after one more; 0, which never recovers, if it is not that one's turn.
  func next(_ count: Int, adding shard: Int, to element: Int) -> Int {
    let sequence = sequences[chunkOfElement[element]]
    return hosted.contains(shard) && count < sequence.count && sequence[count] == shard ? count + 1 : 0
  }

  func read(_ send: Send) -> [Int] {
    switch send.source {
    case .result: Array(added[send.elements])
    case .contribution(let shard): send.elements.map { next(0, adding: shard, to: $0) }
    }
  }

  mutating func write(_ message: [Int], to receive: Receive) {
    if message.count != receive.elements.count { faults.append("\(message.count) elements come to \(receive)") }
    for (element, count) in zip(receive.elements, message) { added[element] = count }
  }

  mutating func execute(_ sum: LocalSum) {
    for element in sum.elements {
      var count = sum.ontoResult ? added[element] : 0
      if sum.ontoResult && count == 0 { faults.append("element \(element) continues a sum that is not there") }
      for shard in sum.shards {
        count = next(count, adding: shard, to: element)
        if count == 0 {
          faults.append("shard \(shard) is added to element \(element) out of turn")
          break
        }
      }
      added[element] = count
    }
  }
}
