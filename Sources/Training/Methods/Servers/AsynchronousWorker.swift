import Engine
import MPI
import Optimizers

/// A worker beside parameter servers: takes tickets, computes their gradients at the parameters that it has, pushes every so
/// many of them and fetches new parameters every so many.
final class AsynchronousWorker {
  /// What the trainer does for it.
  struct Computation {
    /// Leaves the mean gradient of a ticket's samples in the shard's vector, and says how many samples it and its batch have.
    let gradient: (_ ticket: Int) throws -> (sums: LossSums, samples: Int, batch: Int)
    let wantsToStop: () -> Bool
    /// Whether the time of the run is over.
    let isOver: () -> Bool
    /// Told of each phase.
    let enter: (StepTimes.Phase) -> Void
    /// Told before it waits for servers, and again and again when something has come.
    let waits: () -> Void
  }

  private let world: Communicator
  private let ranks: ServerRanks
  private let pushEvery: Int
  private let fetchEvery: Int
  /// Whether gradients without samples are pushed too, because servers count on one of every worker.
  private let pushesAlways: Bool
  private let state: TrainingState
  private let gradient: FloatBuffer
  private let optimizer: Optimizer
  /// The weighted mean of the gradients since the last push, and while it is under way the one that is pushed.
  private let outgoing: FloatBuffer
  private let requests: UnsafeMutablePointer<Double>
  private let replies: UnsafeMutablePointer<Double>
  private var sends: RequestPool
  private var receives: RequestPool
  /// Of each server, when it sent the parameters that are here.
  var clocks: [Int]
  private var weight = 0.0
  private var rate = 0.0

  init(
    _ world: Communicator, _ ranks: ServerRanks, pushEvery: Int, fetchEvery: Int, pushesAlways: Bool,
    _ vectors: RunVectors, _ optimizer: Optimizer
  ) throws {
    (self.world, self.ranks, self.optimizer) = (world, ranks, optimizer)
    (self.pushEvery, self.fetchEvery, self.pushesAlways) = (pushEvery, fetchEvery, pushesAlways)
    state = vectors.state
    gradient = vectors.shardGradients[0]
    outgoing = try FloatBuffer(count: gradient.count, skew: 2176)
    requests = .allocate(capacity: Request.count * ranks.servers)
    requests.initialize(repeating: 0, count: Request.count * ranks.servers)
    replies = .allocate(capacity: Reply.count * ranks.servers)
    replies.initialize(repeating: 0, count: Reply.count * ranks.servers)
    sends = RequestPool(capacity: 2 * ranks.servers)
    receives = RequestPool(capacity: 2 * ranks.servers)
    clocks = Array(repeating: 0, count: ranks.servers)
  }

  deinit {
    requests.deallocate()
    replies.deallocate()
  }

  /// Works until there are no tickets left.
  ///
  /// - Parameter rate: the learning rate of a global step.
  func work(
    _ segment: Segment, _ computation: Computation, measuringNorm: Bool, rate: (_ step: Int) -> Double
  ) throws -> SegmentTally {
    var tally = SegmentTally()
    var request = Request()
    request.wantsTicket = true
    computation.enter(.communication)
    while let ticket = try exchange(request, computation) {
      let (sums, samples, batch) = try computation.gradient(ticket)
      computation.enter(.update)
      tally.tickets += 1
      tally.loss += sums.loss
      tally.correct += Int(sums.correct)
      tally.samples += samples
      let step = segment.step(of: ticket)
      let part = Double(samples) / Double(max(batch, 1))
      request = Request()
      request.step = step
      request.wantsTicket = true
      tally.wantsToStop = tally.wantsToStop || computation.wantsToStop()
      request.wantsToEnd = tally.wantsToStop || computation.isOver()
      if samples > 0 || pushesAlways { try add(weight: part, rate: part * rate(step)) }
      request.pushes = tally.tickets % pushEvery == 0 && (weight > 0 || pushesAlways)
      request.fetches = tally.tickets % fetchEvery == 0
      if request.pushes { tally.sentBytes += 4 * outgoing.count }
      if fetchEvery > 1 && samples > 0 { move(by: Float(part * rate(step))) }
      computation.enter(.communication)
    }
    request = Request()
    request.isLast = true
    request.pushes = weight > 0 && !pushesAlways
    request.step = segment.steps.upperBound - 1
    if request.pushes { tally.sentBytes += 4 * outgoing.count }
    _ = try exchange(request, computation)
    try finishSending(computation)
    if tally.tickets > 0 && (measuringNorm || computation.isOver()) { tally.squaredNorm = squaredNorm() }
    return tally
  }

  /// Takes the shard's gradient into the mean that is pushed next.
  private func add(weight part: Double, rate: Double) throws {
    // Before it is written, what was pushed has to be away.
    try sends.waitAll()
    if weight == 0 {
      outgoing.assign(from: gradient)
    } else {
      interpolate(outgoing, towards: gradient, by: Float(part / (weight + part)))
    }
    weight += part
    self.rate += rate
  }

  /// Between fetches a worker goes on along its own gradients.
  private func move(by rate: Float) {
    for block in optimizer.layout.blocks {
      for index in block.elements { state.parameters.pointer[index] -= rate * gradient.pointer[index] }
    }
  }

  /// Sends a request to all whom it concerns, and waits for the answers.
  ///
  /// - Returns: the next ticket.
  private func exchange(_ request: Request, _ computation: Computation) throws -> Int? {
    try finishSending(computation)
    for server in 0..<ranks.servers {
      var request = request
      request.wantsTicket = request.wantsTicket && server == 0
      guard request.pushes || request.fetches || request.wantsTicket || request.isLast else { continue }
      (request.clock, request.weight, request.rate) = (clocks[server], weight, rate)
      let (rank, part) = (ranks.rank(ofServer: server), ranks.parts[server].elements)
      if request.wantsTicket || request.fetches {
        try receives.receive(
          replies + Reply.count * server, count: Reply.count, from: rank, tag: ServerTag.reply, on: world)
      }
      if request.fetches {
        try receives.receive(
          state.parameters.pointer + part.lowerBound, count: part.count, from: rank, tag: ServerTag.parameters,
          on: world)
      }
      let place = requests + Request.count * server
      request.write(to: place)
      try sends.send(UnsafePointer(place), count: Request.count, to: rank, tag: ServerTag.request, on: world)
      if request.pushes {
        try sends.send(
          UnsafePointer(outgoing.pointer + part.lowerBound), count: part.count, to: rank, tag: ServerTag.gradient,
          on: world)
      }
    }
    if request.pushes { (weight, rate) = (0, 0) }
    computation.waits()
    var pause = PolitePause()
    while try !receives.testAll() { pause.pause() }
    if request.fetches {
      for server in 0..<ranks.servers { clocks[server] = Reply(replies + Reply.count * server).clock }
    }
    return request.wantsTicket ? Reply(replies).ticket : nil
  }

  private func finishSending(_ computation: Computation) throws {
    var pause = PolitePause()
    computation.waits()
    while try !sends.testAll() { pause.pause() }
  }

  /// Of the last gradient, over the whole model.
  private func squaredNorm() -> Double {
    let layout = optimizer.layout
    var sums = [Double](repeating: 0, count: optimizer.sumCount)
    return sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { return 0 }
      layout.sumSquares(of: UnsafePointer(gradient.pointer), blocks: 0..<layout.blocks.count, into: base)
      let norm = layout.norm(base)
      return norm * norm
    }
  }
}
