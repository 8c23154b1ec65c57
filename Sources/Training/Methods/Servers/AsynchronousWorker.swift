import Engine
import Optimizers

/// A worker of an asynchronous method: takes tickets from the first server, computes their gradients, and leaves what becomes of
/// them to its strategy.
final class AsynchronousWorker {
  /// What the trainer does for it.
  struct Computation {
    /// Leaves the mean gradient of a ticket's samples in the shard's vector, and says how many samples it and its batch have.
    let gradient:
      (_ ticket: Int, _ parameters: UnsafePointer<Float>) throws -> (sums: LossSums, samples: Int, batch: Int)
    let wantsToStop: () -> Bool
    /// Whether the time of the run is over.
    let isOver: () -> Bool
    /// Told of each phase.
    let enter: (StepTimes.Phase) -> Void
    /// Told before it waits for servers.
    let waits: () -> Void
  }

  let line: ServerLine
  let strategy: any WorkerStrategy
  /// Whether what was fetched last is still to be taken.
  private var isFetching = false

  init(_ line: ServerLine, _ strategy: any WorkerStrategy) { (self.line, self.strategy) = (line, strategy) }

  /// Works until there are no tickets left.
  ///
  /// - Parameter step: a global step of the schedule, by its number.
  func work(
    _ segment: Segment, _ computation: Computation, step: (_ number: Int) -> UpdateStep
  ) throws -> SegmentTally {
    var tally = SegmentTally()
    var wantsToEnd = false
    func wait(_ isDone: () throws -> Bool) throws {
      computation.waits()
      var pause = PolitePause()
      while try !isDone() { if try strategy.attend() { pause.reset() } else { pause.pause() } }
    }
    func finishFetching() throws {
      guard isFetching else { return }
      isFetching = false
      try wait(line.hasFetched)
      strategy.takeFetched()
    }
    /// - Returns: the next ticket.
    func exchange(_ request: Request) throws -> Int? {
      try line.send(
        request, pushing: strategy.outgoing, computedAt: strategy.origin, fetchingInto: strategy.incoming)
      isFetching = request.fetches
      try wait(line.hasAnswers)
      if !strategy.computesMeanwhile { try finishFetching() }
      return line.takeAnswers()
    }
    func next() throws -> Int? {
      try wait(line.hasSent)
      var request = strategy.request()
      (request.wantsTicket, request.wantsToEnd) = (true, wantsToEnd)
      return try exchange(request)
    }

    strategy.begin(segment)
    computation.enter(.communication)
    while let ticket = try next() {
      let (sums, samples, batch) = try computation.gradient(ticket, strategy.parameters)
      tally.tickets += 1
      tally.loss += sums.loss
      tally.correct += Int(sums.correct)
      tally.samples += samples
      tally.wantsToStop = tally.wantsToStop || computation.wantsToStop()
      wantsToEnd = tally.wantsToStop || computation.isOver()
      computation.enter(.communication)
      try wait(line.hasSent)
      computation.enter(.update)
      strategy.take(
        TicketGradient(
          step: step(segment.step(of: ticket)), samples: samples, part: Double(samples) / Double(max(batch, 1)),
          clocks: line.clocks))
      computation.enter(.communication)
      try finishFetching()
      // What has come by now is taken before the next step.
      _ = try strategy.attend()
      try wait { strategy.isReady }
    }
    try finishFetching()
    try wait(strategy.isQuiet)
    try wait(line.hasSent)
    var request = strategy.lastRequest()
    request.isLast = true
    _ = try exchange(request)
    try wait(line.hasSent)
    try wait(strategy.isQuiet)
    tally.sentBytes = line.takeSentBytes() + strategy.takeSentBytes()
    tally.pushes = strategy.staleness.reduce(0, +)
    if tally.tickets > 0 { tally.squaredNorm = strategy.squaredNorm }
    return tally
  }
}
