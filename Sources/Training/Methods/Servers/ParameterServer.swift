import Engine
import MPI
import Optimizers

/// What a server does with what workers push.
enum ServerPolicy: Hashable {
  /// Each gradient updates the parameters when it arrives (Dean et al., "Large scale distributed deep networks", NIPS 2012).
  ///
  /// - Parameters:
  ///   - staleness: what becomes of a gradient's learning rate (`stalenessAware`).
  ///   - compensation: λ of `compensateDelay`, or 0.
  case each(staleness: Recipe.StalenessRate, compensation: Double)
  /// The first `count` gradients of a step update them together; later ones are dropped (Chen et al., "Revisiting distributed
  /// synchronous SGD", 2016). Those without samples are no gradients.
  case first(count: Int)
  /// The server's parameters are the center: they and those of a worker move towards each other by `rate` of their distance when
  /// a worker's arrive (Zhang, Choromańska, LeCun, "Deep learning with elastic averaging SGD", 2014, algorithm 1).
  case elastic(rate: Double)
  /// Workers meet each other: it is a coordinator, which counts out tickets and keeps no parameters.
  case coordinate

  /// Whether a server waits for a number of workers, so that each has to push every step.
  var countsWorkers: Bool { if case .first = self { true } else { false } }
  var isElastic: Bool { if case .elastic = self { true } else { false } }
  /// Whether servers keep optimizer slots.
  var keepsSlots: Bool { !isElastic && self != .coordinate }
}

/// A parameter server: takes what workers push, changes its part of the parameters, and answers whoever asks. The first server
/// counts out tickets besides, and where workers meet each other that is all it does.
///
/// It works on one thread and never waits for a single worker: messages are received beside each other.
final class ParameterServer {
  private let world: Communicator
  private let policy: ServerPolicy
  private let activity: () -> Activity
  private var part: ServerPart
  private let ports: [WorkerPort]
  /// Of `first`: the mean of the step's gradients so far, from the part's first element on.
  private let mean: FloatBuffer?
  /// By staleness, in the segment at hand.
  private(set) var staleness: [Int] = []

  // Of the segment at hand.
  private var tickets = TicketCounter(Segment(steps: 0..<0, shards: 1), goesByStep: false)
  private var tally = SegmentTally()
  // Of `first`, of the step at hand.
  private var taken = 0
  private var arrived = 0
  private var weight = 0.0
  private var rate = 0.0
  /// Those that wait for the step to end.
  private var waiting: [WorkerPort] = []

  init(
    _ world: Communicator, _ policy: ServerPolicy, _ part: UpdateLayout.Part, _ state: TrainingState,
    _ optimizer: Optimizer, workers: Int, activity: @escaping () -> Activity
  ) throws {
    (self.world, self.policy, self.activity) = (world, policy, activity)
    self.part = ServerPart(part, state, optimizer)
    ports = try (0..<workers).map { try WorkerPort(world, worker: $0, count: part.elements.count) }
    if case .first = policy { mean = try FloatBuffer(count: part.elements.count) } else { mean = nil }
  }

  /// Serves until every worker has said its last word.
  func serve(_ segment: Segment) throws -> SegmentTally {
    tickets = TicketCounter(segment, goesByStep: policy.countsWorkers)
    (tally, staleness) = (SegmentTally(), [])
    for port in ports { port.answer.pointer.update(from: part.parameters, count: port.answer.count) }
    var open = ports.count
    var pause = PolitePause()
    let activity = activity()
    while open > 0 {
      var isIdle = true
      while let worker = try world.senderOfNext(tag: ServerTag.request) {
        let port = ports[worker]
        if port.isReceiving {
          // The worker has sent all of it, or it would not ask for more.
          try port.finishReceiving()
          try takePush(port)
        }
        try port.takeRequest()
        if port.request.wantsToEnd { tickets.endSoon() }
        if port.request.isLast { open -= 1 }
        if !port.request.pushes { try answer(port) }
        isIdle = false
      }
      for port in ports where port.isReceiving {
        guard try port.hasReceived() else { continue }
        try takePush(port)
        isIdle = false
      }
      if isIdle { pause.pause() } else { pause.reset() }
      if !isIdle { activity.tick() }
    }
    for port in ports {
      if port.isReceiving {
        try port.finishReceiving()
        try takePush(port)
      }
      if port.request.waitsForAll { try port.send(Reply(clock: part.clock, ticket: nil)) { _ in } }
      try port.finishSending()
    }
    tally.clock = part.clock
    tally.steps = tickets.steps
    return tally
  }

  /// Sends the ticket and the vector that a worker asked for, where it did.
  private func answer(_ port: WorkerPort) throws {
    guard port.request.isAnswered, !port.request.isLast else { return }
    let ticket = port.request.wantsTicket ? tickets.take(worker: port.worker) : nil
    if port.request.fetches { tally.sentBytes += 4 * part.elements.count }
    try port.send(Reply(clock: part.clock, ticket: ticket)) { answer in
      // What a worker fetches of an elastic center is the difference, which is there already.
      if case .elastic = policy { return }
      answer.pointer.update(from: part.parameters, count: answer.count)
    }
  }

  private func takePush(_ port: WorkerPort) throws {
    let request = port.request
    switch policy {
    case .each(let rule, let compensation):
      let staleness = part.clock - request.clock
      if compensation > 0 {
        part.compensateDelay(of: port.pushed, then: port.answer, by: Float(compensation))
      }
      count(staleness)
      let rate = stalenessAware(request.rate, staleness, workers: ports.count, rule)
      part.apply(port.pushed, weight: request.weight, rate: rate)
      try answer(port)
    case .first(let wanted):
      guard tickets.isAtHand(step: request.step) else {
        tally.dropped += 1
        tally.droppedSamples += request.samples
        return try answer(port)
      }
      add(port)
      waiting.append(port)
      // Of a batch with fewer samples than workers all are waited for.
      if taken == wanted || arrived == tickets.segment.shards { try endStep() }
    case .elastic(let rate):
      count(part.clock - request.clock)
      // The answer before has arrived, or the worker would not have asked again.
      try port.finishSending()
      part.meet(port.pushed, difference: port.answer, rate: Float(rate))
      try answer(port)
    case .coordinate: preconditionFailure("nobody pushes to a coordinator")
    }
  }

  private func count(_ staleness: Int) {
    self.staleness.count(staleness)
    tally.pushes += 1
  }

  private func add(_ port: WorkerPort) {
    count(part.clock - port.request.clock)
    arrived += 1
    guard port.request.weight > 0, let mean else { return }
    taken += 1
    if weight == 0 {
      mean.assign(from: port.pushed)
    } else {
      interpolate(mean, towards: port.pushed, by: Float(port.request.weight / (weight + port.request.weight)))
    }
    weight += port.request.weight
    rate = port.request.rate / port.request.weight
  }

  /// Of `first`: enough of the step's gradients are there.
  private func endStep() throws {
    // Without a sample there is nothing to learn.
    if weight > 0, let mean { part.apply(mean, weight: 1, rate: rate) }
    (taken, arrived, weight) = (0, 0, 0)
    tickets.endStep()
    let ready = waiting
    waiting = []
    for port in ready { try answer(port) }
  }
}

/// The learning rate of a gradient of staleness τ, one of W workers' (Zhang, Gupta, Lian, Liu, "Staleness-aware async-SGD", IJCAI
/// 2016).
///
/// The paper divides the batch's rate by τ. Its part of that rate, which a gradient has here, is that for τ = W, where τ is when
/// W workers of one speed take turns.
///
/// - Parameter rate: its part of the batch's rate.
package func stalenessAware(_ rate: Double, _ staleness: Int, workers: Int, _ rule: Recipe.StalenessRate) -> Double {
  switch rule {
  case .keep: rate
  case .scale: rate * Double(workers) / Double(max(workers, staleness))
  case .paper: rate * Double(workers) / Double(max(1, staleness))
  }
}

extension [Int] {
  /// Of a histogram of small numbers: one more of a value.
  mutating func count(_ value: Int) {
    while count <= value { append(0) }
    self[value] += 1
  }
}
