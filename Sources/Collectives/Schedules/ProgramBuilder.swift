/// Gathers what one rank does in the flows of all parts of a bucket.
struct ProgramBuilder {
  private let rank: Int
  private let pipeline: Pipeline
  private var reduceScatter = Half()
  private var allGather = Half()
  private var start: [LocalSum] = []
  private var sums: [Int: [LocalSum]] = [:]
  private var owned: [Range<Int>] = []

  /// Messages of one half that this rank sends or receives, and how many rounds there are on any rank.
  private struct Half {
    var messages: [Message] = []
    var rounds = 0
  }

  private struct Message {
    var round: Int
    var flow: Flow.Message
    var elements: Range<Int>
  }

  init(rank: Int, pipeline: Pipeline) {
    (self.rank, self.pipeline) = (rank, pipeline)
  }

  /// - Parameter segment: the flow's place among those that take the same way one behind the other.
  mutating func add(_ flow: Flow, elements: Range<Int>, segment: Int) {
    for message in flow.messages {
      let round = pipeline.round(hop: message.hop, segment: segment)
      reduceScatter.rounds = max(reduceScatter.rounds, round + 1)
      guard message.source == rank || message.destination == rank else { continue }
      reduceScatter.messages.append(Message(round: round, flow: message, elements: elements))
    }
    for sum in flow.sums where sum.rank == rank {
      let made = LocalSum(elements: elements, terms: sum.terms, buffer: sum.buffer)
      let round = pipeline.roundBefore(hop: sum.hop, segment: segment)
      if round < 0 { start.append(made) } else { sums[round, default: []].append(made) }
    }
    if flow.owners.contains(rank) { owned.append(elements) }
    for message in flow.gather {
      let round = pipeline.round(hop: message.hop, segment: segment)
      allGather.rounds = max(allGather.rounds, round + 1)
      guard message.source == rank || message.destination == rank else { continue }
      allGather.messages.append(Message(round: round, flow: message, elements: elements))
    }
  }

  // MARK: the program

  func program() -> RankProgram {
    var program = RankProgram(rank: rank, start: joined(start))
    program.reduceScatter = rounds(reduceScatter)
    program.allGather = rounds(allGather)
    for (round, sums) in sums { program.reduceScatter[round].sums = joined(sums) }
    program.addWhileMessagesAreUnderWay()
    for range in owned.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = program.owned.last, last.upperBound == range.lowerBound {
        program.owned[program.owned.count - 1] = last.lowerBound..<range.upperBound
      } else {
        program.owned.append(range)
      }
    }
    let written =
      (start + sums.values.joined()).map(\.buffer) + program.reduceScatter.flatMap { $0.receives.map(\.buffer) }
    program.buffers = 1 + (written.max() ?? 0)
    return program
  }

  /// From which place to which place messages go.
  private struct Way: Comparable {
    let round: Int
    let source: Int
    let destination: Int
    /// A shard's contribution, or −1 − buffer.
    let operand: Int
    let buffer: Int

    init(_ message: Message) {
      (round, source, destination) = (message.round, message.flow.source, message.flow.destination)
      operand =
        switch message.flow.operand {
        case .contribution(let shard): shard
        case .buffer(let buffer): -1 - buffer
        }
      buffer = message.flow.buffer
    }

    static func < (a: Way, b: Way) -> Bool {
      (a.round, a.source, a.destination, a.operand, a.buffer) < (b.round, b.source, b.destination, b.operand, b.buffer)
    }
  }

  /// Messages of neighbouring elements that go from the same place to the same place are one. Sender and receiver see the same
  /// ones in the same sequence.
  private func rounds(_ half: Half) -> [Round] {
    var rounds = Array(repeating: Round(), count: half.rounds)
    let sorted = half.messages.map { (way: Way($0), message: $0) }
      .sorted { ($0.way, $0.message.elements.lowerBound) < ($1.way, $1.message.elements.lowerBound) }
    var index = 0
    while index < sorted.count {
      var message = sorted[index].message
      var next = index + 1
      while next < sorted.count, sorted[next].way == sorted[index].way,
        sorted[next].message.elements.lowerBound == message.elements.upperBound
      {
        message.elements = message.elements.lowerBound..<sorted[next].message.elements.upperBound
        next += 1
      }
      index = next
      let flow = message.flow
      if flow.source == rank {
        rounds[message.round].sends.append(
          Send(operand: flow.operand, elements: message.elements, destination: flow.destination))
      }
      if flow.destination == rank {
        rounds[message.round].receives.append(
          Receive(buffer: flow.buffer, elements: message.elements, source: flow.source))
      }
    }
    return rounds
  }

  /// Sums of neighbouring elements that are made alike are one.
  private func joined(_ sums: [LocalSum]) -> [LocalSum] {
    var joined: [LocalSum] = []
    for sum in sums.sorted(by: { $0.elements.lowerBound < $1.elements.lowerBound }) {
      if let last = joined.last, last.terms == sum.terms, last.buffer == sum.buffer,
        last.elements.upperBound == sum.elements.lowerBound
      {
        joined[joined.count - 1].elements = last.elements.lowerBound..<sum.elements.upperBound
      } else {
        joined.append(sum)
      }
    }
    return joined
  }
}
