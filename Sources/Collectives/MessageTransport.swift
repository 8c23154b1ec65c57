import MPI

/// Executes schedules by MPI messages: in each round posts the receives, then the sends, waits for all and adds.
final class MessageTransport: ReductionTransport {
  private let communicator: Communicator
  private let programs: [RankProgram]
  private let firstShard: Int
  private var pool: RequestPool
  private(set) var traffic = Traffic()

  /// - Parameter programs: this rank's, one for each bucket.
  init(_ communicator: Communicator, placement: Placement, programs: [RankProgram]) {
    self.communicator = communicator
    self.programs = programs
    firstShard = placement.shards(of: communicator.rank).lowerBound
    let rounds = programs.lazy.flatMap { $0.reduceScatter + $0.allGather }
    pool = RequestPool(capacity: rounds.map { $0.sends.count + $0.receives.count }.max() ?? 0)
  }

  var rank: Int { communicator.rank }

  func owned(_ bucket: Int) -> Range<Int> { programs[bucket].owned }

  func reduceScatter(
    _ bucket: Int, contributions: [UnsafePointer<Float>], offset: Int, result: UnsafeMutablePointer<Float>
  ) throws {
    func add(_ sums: [LocalSum]) {
      for sum in sums {
        sum.execute(contributions: contributions, offset: offset, firstShard: firstShard, result: result)
      }
    }
    add(programs[bucket].start)
    for round in programs[bucket].reduceScatter {
      try exchange(round, result: result) { contributions[$0 - firstShard] + offset }
      add(round.sums)
    }
  }

  func allGather(_ bucket: Int, result: UnsafeMutablePointer<Float>) throws {
    for round in programs[bucket].allGather {
      try exchange(round, result: result) { _ in preconditionFailure("an all-gather sends no contribution") }
    }
  }

  /// Sound: the schedule's messages lie in the bucket, and in a round none overlaps another that writes; both buffers
  /// are the caller's until this returns.
  private func exchange(
    _ round: Round, result: UnsafeMutablePointer<Float>, contribution: (Int) -> UnsafePointer<Float>
  ) throws {
    for receive in round.receives {
      try pool.receive(
        result + receive.elements.lowerBound, count: receive.elements.count, from: receive.source, on: communicator)
    }
    for send in round.sends {
      let base =
        switch send.source {
        case .result: UnsafePointer(result)
        case .contribution(let shard): contribution(shard)
        }
      try pool.send(
        base + send.elements.lowerBound, count: send.elements.count, to: send.destination, on: communicator)
      traffic.messages += 1
      traffic.bytes += send.elements.count * MemoryLayout<Float>.stride
    }
    traffic.rounds += 1
    try pool.waitAll()
  }
}
