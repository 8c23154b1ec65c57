import Engine
import MPI
import Optimizers

/// What a server does with gradients.
enum ServerPolicy: Hashable {
  /// Each updates the parameters when it arrives (Dean et al., "Large scale distributed deep networks", NIPS 2012).
  ///
  /// - Parameters:
  ///   - scalesRate: whether the learning rate is divided by the staleness τ, where that is more than 1 (Zhang, Gupta, Lian, Liu,
  ///     "Staleness-aware async-SGD", IJCAI 2016).
  ///   - compensation: λ of `compensateDelay`, or 0.
  case each(scalesRate: Bool, compensation: Double)
  /// The first `count` of a step update them together; later ones are dropped (Chen et al., "Revisiting distributed synchronous
  /// SGD", 2016).
  case first(count: Int)
}

/// A parameter server: takes gradients, updates its part of the parameters, and sends that to whoever asks.
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
  private var segment = Segment(steps: 0..<0, shards: 1)
  private var tally = SegmentTally()
  /// The next ticket, and the one before which to end.
  private var next = 0
  private var end = 0
  // Of `first`, of the step at hand.
  private var taken = 0
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
    (self.segment, tally, staleness, next, end) = (segment, SegmentTally(), [], 0, segment.tickets)
    for port in ports { port.fetched.pointer.update(from: part.parameters, count: port.fetched.count) }
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
          try takeGradient(port)
        }
        try port.takeRequest()
        if port.request.wantsToEnd { endSoon() }
        if port.request.isLast { open -= 1 }
        if !port.request.pushes { try answer(port) }
        isIdle = false
      }
      for port in ports where port.isReceiving {
        guard try port.hasReceived() else { continue }
        try takeGradient(port)
        isIdle = false
      }
      if isIdle { pause.pause() } else { pause.reset() }
      if !isIdle { activity.tick() }
    }
    for port in ports {
      if port.isReceiving {
        try port.finishReceiving()
        try takeGradient(port)
      }
      try port.finishSending()
    }
    tally.clock = part.clock
    tally.steps = next / segment.shards
    return tally
  }

  /// The batch at hand is the last.
  private func endSoon() {
    // Where servers wait for a step to end, it is the next ticket's; else that of the last ticket given.
    let begun = policy.countsWorkers ? next / segment.shards + 1 : (next + segment.shards - 1) / segment.shards
    end = min(end, max(1, begun) * segment.shards)
  }

  private func answer(_ port: WorkerPort) throws {
    guard port.request.wantsTicket || port.request.fetches else { return }
    var ticket: Int?
    if port.request.wantsTicket && next < end {
      if case .first = policy {
        // Everybody takes its own part of every step.
        ticket = next + port.worker
      } else {
        ticket = next
        next += 1
      }
    }
    if port.request.fetches { tally.sentBytes += 4 * part.elements.count }
    try port.send(Reply(clock: part.clock, ticket: ticket), part.parameters)
  }

  private func takeGradient(_ port: WorkerPort) throws {
    switch policy {
    case .each(let scalesRate, let compensation):
      let staleness = part.clock - port.request.clock
      if compensation > 0 {
        compensateDelay(
          port.gradient, now: part.parameters, then: port.fetched.pointer, by: Float(compensation))
      }
      count(staleness)
      let rate = scalesRate ? port.request.rate / Double(max(1, staleness)) : port.request.rate
      part.apply(port.gradient, weight: port.request.weight, rate: rate)
      try answer(port)
    case .first(let wanted):
      guard port.request.step == segment.step(of: next), next < end else {
        tally.dropped += 1
        return try answer(port)
      }
      add(port)
      waiting.append(port)
      if taken == wanted { try endStep() }
    }
  }

  private func count(_ staleness: Int) {
    while self.staleness.count <= staleness { self.staleness.append(0) }
    self.staleness[staleness] += 1
    tally.pushes += 1
  }

  private func add(_ port: WorkerPort) {
    count(part.clock - port.request.clock)
    taken += 1
    guard port.request.weight > 0, let mean else { return }
    if weight == 0 {
      mean.assign(from: port.gradient)
    } else {
      interpolate(mean, towards: port.gradient, by: Float(port.request.weight / (weight + port.request.weight)))
    }
    weight += port.request.weight
    rate = port.request.rate / port.request.weight
  }

  /// Of `first`: enough of the step's gradients are there.
  private func endStep() throws {
    // Without a sample there is nothing to learn.
    if weight > 0, let mean { part.apply(mean, weight: 1, rate: rate) }
    (taken, weight) = (0, 0)
    next += segment.shards
    let ready = waiting
    waiting = []
    for port in ready { try answer(port) }
  }
}
