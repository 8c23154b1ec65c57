/// The numbers of one rank for the in-process execution of a schedule: the transport of tests and explanations.
public final class InProcessMemory: RankMemory {
  private let storage: [UnsafeMutableBufferPointer<Float>]
  private let table: OperandTable
  private let elements: Int

  /// - Parameters:
  ///   - contributions: of the hosted shards, in ascending order.
  ///   - buffers: of the rank's program.
  ///   - filling: what the buffers hold at first; nothing of it may be seen in a finished sum.
  public init(contributions: [[Float]], firstShard: Int, buffers: Int, filling: Float = .nan) {
    let elements = contributions[0].count
    self.elements = elements
    table = OperandTable(hosted: firstShard..<firstShard + contributions.count, buffers: buffers)
    storage = (0..<contributions.count + buffers).map { index in
      let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(elements, 1))
      memory.initialize(repeating: filling)
      if index < contributions.count { _ = memory.update(fromContentsOf: contributions[index]) }
      return memory
    }
    // Sound: the storage lives as long as the table.
    for (index, memory) in storage.enumerated() {
      guard let base = memory.baseAddress else { continue }
      if index < contributions.count {
        table.setContribution(index, base)
      } else {
        table.setBuffer(index - contributions.count, base)
      }
    }
  }

  deinit { for memory in storage { memory.deallocate() } }

  public var result: [Float] { Array(UnsafeBufferPointer(start: table.buffer(0), count: elements)) }

  public func read(_ send: Send) -> [Float] {
    let base =
      switch send.operand {
      case .contribution(let shard): table.contribution(ofShard: shard)
      case .buffer(let index): UnsafePointer(table.buffer(index))
      }
    return Array(UnsafeBufferPointer(start: base + send.elements.lowerBound, count: send.elements.count))
  }

  public func write(_ message: [Float], to receive: Receive) {
    precondition(message.count == receive.elements.count, "\(message.count) elements for \(receive)")
    message.withUnsafeBufferPointer { message in
      guard let base = message.baseAddress else { return }
      (table.buffer(receive.buffer) + receive.elements.lowerBound).update(from: base, count: message.count)
    }
  }

  public func execute(_ sum: LocalSum) { table.execute(CompiledSum(sum, hosted: table.hosted)) }
}

extension Schedule {
  /// All-reduces arrays in process; returns each rank's result.
  ///
  /// - Parameter contributions: one array for each shard.
  public func runInProcess(_ contributions: [[Float]]) -> [[Float]] {
    var lockstep = inProcess(contributions)
    lockstep.allReduce()
    return lockstep.memories.map(\.result)
  }

  /// All ranks with their contributions, ready to go.
  public func inProcess(_ contributions: [[Float]]) -> Lockstep<InProcessMemory> {
    precondition(contributions.count == placement.shards && contributions.allSatisfy { $0.count == elements })
    let programs = programs()
    let memories = programs.map { program in
      let block = placement.shards(of: program.rank)
      return InProcessMemory(
        contributions: Array(contributions[block]), firstShard: block.lowerBound, buffers: program.buffers)
    }
    return Lockstep(programs, memories: memories)
  }
}
