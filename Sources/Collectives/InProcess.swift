/// The numbers of one rank for the in-process execution of a schedule: the transport of tests and explanations.
public struct InProcessMemory: RankMemory {
  /// The contributions of the hosted shards, in ascending order.
  private let contributions: [[Float]]
  private let firstShard: Int
  public private(set) var result: [Float]

  /// - Parameter filling: what the result holds at first; nothing of it may be seen in a finished sum.
  public init(contributions: [[Float]], firstShard: Int, filling: Float = .nan) {
    self.contributions = contributions
    self.firstShard = firstShard
    result = Array(repeating: filling, count: contributions[0].count)
  }

  public func read(_ send: Send) -> [Float] {
    switch send.source {
    case .result: Array(result[send.elements])
    case .contribution(let shard): Array(contributions[shard - firstShard][send.elements])
    }
  }

  public mutating func write(_ message: [Float], to receive: Receive) {
    precondition(message.count == receive.elements.count, "\(message.count) elements for \(receive)")
    result.replaceSubrange(receive.elements, with: message)
  }

  public mutating func execute(_ sum: LocalSum) {
    withPointers(to: contributions) { pointers in
      result.withUnsafeMutableBufferPointer { result in
        guard let base = result.baseAddress, result.count > 0 else { return }
        sum.execute(contributions: pointers, offset: 0, firstShard: firstShard, result: base)
      }
    }
  }

  /// Calls `body` with pointers to the elements of all arrays, each valid until it returns.
  private func withPointers(
    to arrays: [[Float]], _ pointers: [UnsafePointer<Float>] = [], _ body: ([UnsafePointer<Float>]) -> Void
  ) {
    guard pointers.count < arrays.count else { return body(pointers) }
    arrays[pointers.count].withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      withPointers(to: arrays, pointers + [base], body)
    }
  }
}

extension Schedule {
  /// All-reduces arrays in process; returns each rank's result.
  ///
  /// - Parameter contributions: one array for each shard.
  public func runInProcess(_ contributions: [[Float]]) -> [[Float]] {
    precondition(contributions.count == placement.shards && contributions.allSatisfy { $0.count == elements })
    var lockstep = Lockstep(self, memories: inProcessMemories(contributions))
    lockstep.allReduce()
    return lockstep.memories.map(\.result)
  }

  /// The memories of all ranks that host these contributions, one for each shard.
  public func inProcessMemories(_ contributions: [[Float]]) -> [InProcessMemory] {
    (0..<placement.ranks).map { rank in
      let block = placement.shards(of: rank)
      return InProcessMemory(contributions: Array(contributions[block]), firstShard: block.lowerBound)
    }
  }
}
