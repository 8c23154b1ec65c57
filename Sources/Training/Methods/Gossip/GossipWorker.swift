import Engine
import Optimizers

/// Of gossip: a worker trains parameters of its own and mixes them with those of others, whom it meets by chance and does not wait
/// for.
///
/// - *Pull* (Jin, Yuan, Iandola, Keutzer, "How to scale distributed deep learning?", 2016): every so many of its steps it asks
///   another for its parameters, goes on meanwhile, and when they are there takes the mean.
/// - *Push*, GoSGD (Blot, Picard, Cord, Thome, "Gossip training for deep learning", 2016): after a step, with a probability, it
///   halves its weight and sends that half with its parameters to another, who takes the weighted mean and adds the weights. So
///   the sum of weights, and of parameters times weights, is what it was.
final class GossipWorker: WorkerStrategy {
  enum Form: Hashable {
    case pull(every: Int)
    case push(probability: Double)
  }

  private let form: Form
  private let line: PeerLine
  private let choice: PeerChoice
  private let shardCount: Int
  private var shards: LocalShards
  /// Of push: the shard's weight, a part of the state.
  private let weight: FloatBuffer?
  private let nothing: FloatBuffer
  /// The number of the shard's next own step: from the segment's first ticket on, so that no two of a run are the same.
  private var ownStep = 0
  /// The global step of the last ticket; nil before the job's first segment.
  private var lastTicket: Int?
  /// Of pull: own steps before the next question, and whether the one before is not answered yet.
  private var untilQuestion: Int
  private var isAsking = false
  /// Whom to push to next.
  private var target: Int?
  /// Those who have asked and were not answered yet.
  private var askers: [Int] = []
  private(set) var staleness: [Int] = []

  init(
    _ form: Form, _ line: PeerLine, _ choice: PeerChoice, _ vectors: RunVectors, _ optimizer: Optimizer, shards: Int
  ) throws {
    (self.form, self.line, self.choice, shardCount) = (form, line, choice, shards)
    self.shards = LocalShards(vectors, optimizer)
    nothing = try FloatBuffer(count: 0)
    let state = vectors.state
    switch form {
    case .pull(let interval): (untilQuestion, weight) = (interval, nil)
    case .push:
      (untilQuestion, weight) = (0, state.shards[state.shards.shards.lowerBound, state.shards.slots.count - 1])
    }
  }

  private var lastStep: Int { lastTicket ?? 0 }
  private var own: FloatBuffer { shards.parameters[0] }
  var parameters: UnsafePointer<Float> { UnsafePointer(own.pointer) }
  // The coordinator keeps no vectors.
  var outgoing: FloatBuffer { nothing }
  var incoming: FloatBuffer { nothing }
  var computesMeanwhile: Bool { false }
  var squaredNorm: Double { shards.squaredNorms[0] }

  /// The weight of the shard in what is evaluated.
  var share: Float {
    let all = Float(shardCount)
    return weight.map { $0.pointer[0] / (all * GossipWeight.start(shards: shardCount)) } ?? 1 / all
  }

  func startShard() {
    shards.start()
    weight?.pointer[0] = GossipWeight.start(shards: shardCount)
  }

  func begin(_ segment: Segment) {
    staleness = []
    lastTicket = lastTicket ?? max(0, segment.steps.lowerBound - 1)
    ownStep = segment.steps.lowerBound * segment.shards
  }

  func request() -> Request { Request() }
  func takeFetched() {}

  func take(_ gradient: TicketGradient) {
    if gradient.samples > 0 { shards.update(0, at: gradient.step, measuringNorm: true) }
    lastTicket = gradient.step.number
    switch form {
    case .pull(let interval):
      untilQuestion -= 1
      // Where the last question is still open, this one is left out.
      if untilQuestion == 0 {
        untilQuestion = interval
        if !isAsking { target = choice.peer(at: ownStep) }
      }
    case .push(let probability):
      if choice.pushes(at: ownStep, probability: probability) { target = choice.peer(at: ownStep) }
    }
    ownStep += 1
  }

  /// The coordinator answers it when all workers have ended.
  func lastRequest() -> Request {
    var request = Request()
    request.waitsForAll = true
    return request
  }

  func attend() throws -> Bool {
    var isIdle = true
    while let arrival = try line.next() {
      isIdle = false
      switch arrival {
      case .question(let worker): askers.append(worker)
      case .parcel(let step, let units): mix(step: step, units: units)
      }
    }
    while let asker = askers.first, try line.send(own, step: lastStep, weight: 0, to: asker) {
      askers.removeFirst()
      isIdle = false
    }
    if let target { try turn(to: target) }
    return !isIdle
  }

  /// Takes the mean with the parameters that have arrived.
  private func mix(step: Int, units: Float) {
    staleness.count(max(0, lastStep - step))
    isAsking = false
    guard let weight else { return interpolate(own, towards: line.arrived, by: 0.5) }
    let (share, sum) = GossipWeight.mixing(weight.pointer[0], with: units)
    interpolate(own, towards: line.arrived, by: share)
    weight.pointer[0] = sum
  }

  /// Asks a worker, or pushes to it where there is room for the copy.
  private func turn(to worker: Int) throws {
    if let weight {
      let half = GossipWeight.half(of: weight.pointer[0])
      guard try half == 0 || line.send(own, step: lastStep, weight: half, to: worker) else { return }
      weight.pointer[0] -= half
    } else {
      try line.ask(worker)
      isAsking = true
    }
    target = nil
  }

  /// Before the next step what was to be pushed is on its way.
  var isReady: Bool { target == nil }

  func isQuiet() throws -> Bool {
    try target == nil && !isAsking && askers.isEmpty && !line.isReceiving && line.hasSent()
  }

  func takeSentBytes() -> Int { line.takeSentBytes() }
}
