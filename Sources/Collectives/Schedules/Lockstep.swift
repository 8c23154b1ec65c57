/// The buffers of one rank while a program runs: numbers, or what stands for them in a proof.
public protocol RankMemory {
  associatedtype Message
  /// The elements that a send reads.
  func read(_ send: Send) -> Message
  /// Puts an arrived message into its buffer.
  mutating func write(_ message: Message, to receive: Receive)
  /// Carries a sum out.
  mutating func execute(_ sum: LocalSum)
}

/// Executes the programs of all ranks in one process, round by round.
public struct Lockstep<Memory: RankMemory> {
  /// One for each rank.
  public private(set) var memories: [Memory]
  public let programs: [RankProgram]

  /// - Parameter programs: of all ranks, as `memories`.
  public init(_ programs: [RankProgram], memories: [Memory]) {
    precondition(memories.count == programs.count)
    self.memories = memories
    self.programs = programs
  }

  /// The first half: leaves the sums of a rank's `owned` in its result.
  public mutating func reduceScatter() {
    for program in programs {
      for sum in program.start { memories[program.rank].execute(sum) }
    }
    run(programs.map(\.reduceScatter))
  }

  /// The second half: copies each rank's `owned` to all.
  public mutating func allGather() { run(programs.map(\.allGather)) }

  /// Both halves.
  public mutating func allReduce() {
    reduceScatter()
    allGather()
  }

  private mutating func run(_ half: [[Round]]) {
    for index in half[0].indices {
      // All messages are read before any is written, as they are under way together. Between two ranks they arrive in
      // the sequence in which they were sent.
      var underWay: [Pair: [Memory.Message]] = [:]
      for (rank, rounds) in half.enumerated() {
        for send in rounds[index].sends {
          underWay[Pair(source: rank, destination: send.destination), default: []].append(memories[rank].read(send))
        }
      }
      for (rank, rounds) in half.enumerated() {
        for sum in rounds[index].meanwhile { memories[rank].execute(sum) }
        for receive in rounds[index].receives {
          let pair = Pair(source: receive.source, destination: rank)
          guard let message = underWay[pair]?.first else { preconditionFailure("nobody sends \(receive) to \(rank)") }
          underWay[pair]?.removeFirst()
          memories[rank].write(message, to: receive)
        }
      }
      precondition(underWay.values.allSatisfy(\.isEmpty), "round \(index) sends what nobody receives")
      for (rank, rounds) in half.enumerated() {
        for sum in rounds[index].sums { memories[rank].execute(sum) }
      }
    }
  }

  private struct Pair: Hashable {
    let source: Int
    let destination: Int
  }
}
