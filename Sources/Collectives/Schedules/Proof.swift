/// A proof, by execution on symbols, that a schedule adds every shard's contribution to every element exactly once and with
/// the stated parentheses, and that no message overlaps another that writes.
public struct ScheduleProof {
  /// What is wrong with the schedule; empty if it is right.
  public private(set) var faults: [String] = []

  public init(_ schedule: Schedule) {
    let placement = schedule.placement
    let sums = SymbolicSums()
    var expected = Array(repeating: SymbolicSums.nothing, count: schedule.elements)
    for chunk in schedule.strategy.order.chunks(of: schedule.elements, shards: placement.shards) {
      let sum = sums.symbol(of: chunk.sum)
      for element in chunk.elements { expected[element] = sum }
    }

    let programs = schedule.programs()
    let memories = programs.map { program in
      SymbolicMemory(
        sums: sums, elements: schedule.elements, hosted: placement.shards(of: program.rank), buffers: program.buffers)
    }
    var lockstep = Lockstep(programs, memories: memories)
    lockstep.reduceScatter()
    var owners = Array(repeating: 0, count: schedule.elements)
    for (program, memory) in zip(programs, lockstep.memories) {
      for element in program.owned.joined() {
        owners[element] += 1
        if memory.buffers[0][element] != expected[element] {
          faults.append("rank \(program.rank) owns element \(element) unfinished")
        }
      }
    }
    for element in owners.indices where owners[element] == 0 { faults.append("nobody owns element \(element)") }
    lockstep.allGather()
    for (rank, memory) in lockstep.memories.enumerated() {
      faults += memory.faults.map { "rank \(rank): \($0)" }
      for element in 0..<schedule.elements where memory.buffers[0][element] != expected[element] {
        faults.append("rank \(rank) ends with element \(element) unfinished")
      }
    }
    for program in programs {
      for (index, round) in (program.reduceScatter + program.allGather).enumerated() {
        faults += round.overlaps.map { "rank \(program.rank), round \(index): \($0)" }
      }
    }
  }
}

extension Round {
  /// Elements of a buffer that are written by one message while another, or a sum, reads or writes them.
  var overlaps: [String] {
    var found: [String] = []
    for (index, receive) in receives.enumerated() {
      for other in receives.dropFirst(index + 1)
      where receive.buffer == other.buffer && receive.elements.overlaps(other.elements) {
        found.append("two messages write \(receive.elements) and \(other.elements)")
      }
      for send in sends where send.operand == .buffer(receive.buffer) && receive.elements.overlaps(send.elements) {
        found.append("\(receive.elements) is written while \(send.elements) is sent")
      }
    }
    for sum in meanwhile where touches(sum) { found.append("a message touches \(sum.elements) while they are added") }
    return found
  }
}

/// Sums as numbers: equal if and only if they have the same parentheses, operands of a plus in either sequence.
private final class SymbolicSums {
  static let nothing = -1
  private struct Pair: Hashable {
    let low: Int
    let high: Int
  }
  private var known: [Pair: Int] = [:]
  // Shards come first.
  private let firstSum = 1 << 32

  func sum(_ a: Int, _ b: Int) -> Int {
    if a == Self.nothing || b == Self.nothing { return Self.nothing }
    let pair = Pair(low: min(a, b), high: max(a, b))
    if let known = known[pair] { return known }
    known[pair] = firstSum + known.count
    return firstSum + known.count - 1
  }

  func symbol(of expression: SumExpression) -> Int {
    var values: [Int] = []
    for term in expression.terms {
      switch term {
      case .shard(let shard): values.append(shard)
      case .plus: values.append(sum(values.removeLast(), values.removeLast()))
      }
    }
    return values[0]
  }
}

/// Buffers whose elements stand for partial sums.
private struct SymbolicMemory: RankMemory {
  let sums: SymbolicSums
  let hosted: Range<Int>
  var buffers: [[Int]]
  var faults: [String] = []

  init(sums: SymbolicSums, elements: Int, hosted: Range<Int>, buffers: Int) {
    self.sums = sums
    self.hosted = hosted
    self.buffers = Array(repeating: Array(repeating: SymbolicSums.nothing, count: elements), count: buffers)
  }

  private func value(_ operand: Operand, _ element: Int) -> Int {
    switch operand {
    case .contribution(let shard): hosted.contains(shard) ? shard : SymbolicSums.nothing
    case .buffer(let buffer): buffers[buffer][element]
    }
  }

  func read(_ send: Send) -> [Int] { send.elements.map { value(send.operand, $0) } }

  mutating func write(_ message: [Int], to receive: Receive) {
    if message.count != receive.elements.count { faults.append("\(message.count) elements come to \(receive)") }
    for (element, value) in zip(receive.elements, message) { buffers[receive.buffer][element] = value }
  }

  mutating func execute(_ sum: LocalSum) {
    for element in sum.elements {
      var values: [Int] = []
      for term in sum.terms {
        switch term {
        case .operand(let operand):
          values.append(value(operand, element))
          if values[values.count - 1] == SymbolicSums.nothing {
            faults.append("\(operand) of element \(element) is added before it is there")
          }
        case .plus: values.append(sums.sum(values.removeLast(), values.removeLast()))
        }
      }
      buffers[sum.buffer][element] = values[0]
    }
  }
}
