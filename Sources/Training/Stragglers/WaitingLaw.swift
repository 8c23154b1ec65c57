/// Who waits for whom: all that a method of distributed SGD is, as far as stragglers are concerned.
public enum WaitingLaw: Sendable, Hashable {
  /// Everybody for the slowest, every so many steps: synchronous SGD in each, local methods every H.
  case everybody(every: Int)
  /// Each for the two that it exchanges parameters with: its source and its target on the directed exponential graph
  /// (`StochasticPush`). The target too, because a message as long as a model leaves when its receiver takes it.
  case neighbours
  /// Everybody for all but the slowest so many of a step, whose gradients are dropped: backup workers.
  case allBut(Int)
  /// Nobody for anybody, but for servers that have too much to do.
  case nobody
}

/// What a method's step costs beside the computing of gradients, in seconds.
public struct StepCost: Sendable, Hashable {
  /// Of a rank's own update, in each of its turns.
  public var update: Double
  /// Of an exchange between ranks that are all there.
  public var exchange: Double
  /// Of parameter servers for each gradient: the reciprocal of what they can take.
  public var server: Double

  public init(update: Double = 0, exchange: Double = 0, server: Double = 0) {
    (self.update, self.exchange, self.server) = (update, exchange, server)
  }
}

/// What a method makes of a timetable.
public struct Pace: Sendable, Hashable {
  /// Turns that ranks computed, dropped ones too; a step has as many as ranks.
  public var turns = 0
  public var dropped = 0
  public var seconds = 0.0
  /// Of all ranks together, in waiting; exchanges themselves are none.
  public var waiting = 0.0
  /// Of those, by the rank that was waited for. Empty where nobody waits for a rank.
  public var waitedFor: [Double] = []
  public let ranks: Int

  public var turnsPerSecond: Double { seconds > 0 ? Double(turns) / seconds : 0 }
  /// Of those that are not dropped.
  public var usefulTurnsPerSecond: Double { turnsPerSecond * (1 - shareDropped) }
  public var shareOfWaiting: Double { seconds > 0 ? waiting / (seconds * Double(ranks)) : 0 }
  public var shareDropped: Double { turns > 0 ? Double(dropped) / Double(turns) : 0 }

  init(_ timetable: Timetable) {
    ranks = timetable.ranks
    turns = timetable.ranks * timetable.steps
    waitedFor = Array(repeating: 0, count: timetable.ranks)
  }

  fileprivate mutating func wait(_ seconds: Double, for rank: Int) {
    waiting += seconds
    waitedFor[rank] += seconds
  }
}

extension WaitingLaw {
  /// Carries the timetable out. Cost: of the order of ranks × steps.
  public func pace(_ timetable: Timetable, _ cost: StepCost = StepCost()) -> Pace {
    switch self {
    case .everybody(let interval): together(timetable, cost, every: interval)
    case .neighbours: withNeighbours(timetable, cost)
    case .allBut(let spare): withoutTheLast(spare, timetable, cost)
    case .nobody: alone(timetable, cost)
    }
  }

  private func together(_ timetable: Timetable, _ cost: StepCost, every interval: Int) -> Pace {
    var pace = Pace(timetable)
    /// Since the last meeting.
    var worked = [Double](repeating: 0, count: timetable.ranks)
    for step in 0..<timetable.steps {
      for (rank, seconds) in timetable[step: step].enumerated() { worked[rank] += seconds + cost.update }
      let meets = (step + 1) % interval == 0
      // At the end all are waited for, though they exchange nothing.
      guard meets || step == timetable.steps - 1, let last = worked.indices.max(by: { worked[$0] < worked[$1] }) else {
        continue
      }
      pace.wait(worked.reduce(0) { $0 + worked[last] - $1 }, for: last)
      pace.seconds += worked[last] + (meets ? cost.exchange : 0)
      for rank in worked.indices { worked[rank] = 0 }
    }
    return pace
  }

  private func withNeighbours(_ timetable: Timetable, _ cost: StepCost) -> Pace {
    var pace = Pace(timetable)
    let ranks = timetable.ranks
    /// When each rank goes on.
    var clock = [Double](repeating: 0, count: ranks)
    for step in 0..<timetable.steps {
      let ready = zip(clock, timetable[step: step]).map { $0 + $1 + cost.update }
      let hop = ExponentialGraph.hop(at: step, shards: ranks)
      for rank in 0..<ranks {
        let others = [(rank + ranks - hop) % ranks, (rank + hop) % ranks]
        let last = others.reduce(rank) { ready[$1] > ready[$0] ? $1 : $0 }
        if last != rank { pace.wait(ready[last] - ready[rank], for: last) }
        clock[rank] = ready[last] + (hop > 0 ? cost.exchange : 0)
      }
    }
    pace.seconds = clock.max() ?? 0
    return pace
  }

  /// A worker whose gradient comes too late has done its turn for nothing, and goes on with the step at hand then.
  private func withoutTheLast(_ spare: Int, _ timetable: Timetable, _ cost: StepCost) -> Pace {
    var pace = Pace(timetable)
    pace.turns = 0
    var begin = 0.0
    /// When each worker has said its last word so far.
    var free = [Double](repeating: 0, count: timetable.ranks)
    for step in 0..<timetable.steps {
      let done = zip(free, timetable[step: step]).map { max(begin, $0) + $1 + cost.update }
      let order = done.indices.sorted { (done[$0], $0) < (done[$1], $1) }
      let wanted = timetable.ranks - spare
      let last = order[wanted - 1]
      let end = done[last] + cost.exchange
      for (place, rank) in order.enumerated() {
        if place < wanted {
          pace.turns += 1
          pace.wait(done[last] - done[rank], for: last)
          free[rank] = end
        } else if max(begin, free[rank]) < end {
          // It works at this step, to no avail.
          (pace.turns, pace.dropped) = (pace.turns + 1, pace.dropped + 1)
          free[rank] = done[rank]
        }
      }
      begin = end
    }
    pace.seconds = begin
    return pace
  }

  private func alone(_ timetable: Timetable, _ cost: StepCost) -> Pace {
    var pace = Pace(timetable)
    pace.waitedFor = []
    let rate = timetable.means.reduce(0) { $0 + 1 / max($1 + cost.update + cost.exchange, .leastNormalMagnitude) }
    let unhindered = Double(pace.turns) / rate
    pace.seconds = max(unhindered, Double(pace.turns) * cost.server)
    pace.waiting = (pace.seconds - unhindered) * Double(pace.ranks)
    return pace
  }
}
