import Engine
import Optimizers

/// Of Downpour SGD and backup workers: gradients are computed at the servers' parameters as fetched last, and pushed.
final class GradientPushing: WorkerStrategy {
  private let pushEvery: Int
  private let fetchEvery: Int
  /// Whether gradients without samples are pushed too, because servers count on one of every worker.
  private let pushesAlways: Bool
  private let state: TrainingState
  private let gradient: FloatBuffer
  private let optimizer: Optimizer
  /// The weighted mean of the gradients since the last push, and while it is under way the one that is pushed.
  let outgoing: FloatBuffer
  private var weight = 0.0
  private var samples = 0
  private var rate = 0.0
  /// Of the first of those gradients.
  private(set) var origin: [Int]?
  // Of the segment at hand.
  private var segment = Segment(steps: 0..<0, shards: 1)
  private var tickets = 0
  private var step = 0

  init(_ vectors: RunVectors, _ optimizer: Optimizer, pushEvery: Int, fetchEvery: Int, pushesAlways: Bool) throws {
    (self.pushEvery, self.fetchEvery, self.pushesAlways) = (pushEvery, fetchEvery, pushesAlways)
    (state, gradient, self.optimizer) = (vectors.state, vectors.shardGradients[0], optimizer)
    outgoing = try FloatBuffer(count: gradient.count, skew: 2176)
  }

  var parameters: UnsafePointer<Float> { UnsafePointer(state.parameters.pointer) }
  var incoming: FloatBuffer { state.parameters }
  var computesMeanwhile: Bool { false }

  func startShard() {}
  func begin(_ segment: Segment) { (self.segment, tickets) = (segment, 0) }
  func takeFetched() {}

  func request() -> Request {
    // Who comes late to a segment finds parameters that others have moved already.
    var request = tickets > 0 && tickets % pushEvery == 0 ? push(step: step) : Request()
    request.fetches = tickets % fetchEvery == 0
    return request
  }

  func lastRequest() -> Request {
    // Where servers count on every worker, they have all that they wait for.
    pushesAlways ? Request() : push(step: segment.steps.upperBound - 1)
  }

  /// Pushes what has gathered.
  private func push(step: Int) -> Request {
    var request = Request()
    request.pushes = weight > 0 || pushesAlways
    (request.step, request.weight, request.samples, request.rate) = (step, weight, samples, rate)
    (weight, samples, rate) = (0, 0, 0)
    return request
  }

  func take(_ gradient: TicketGradient) {
    tickets += 1
    step = gradient.step.number
    samples += gradient.samples
    let rate = gradient.part * gradient.step.learningRate
    if weight == 0 { origin = gradient.clocks }
    if gradient.samples > 0 || pushesAlways { add(weight: gradient.part, rate: rate) }
    if fetchEvery > 1 && gradient.samples > 0 { move(by: Float(rate)) }
  }

  /// Takes the shard's gradient into the mean that is pushed next.
  private func add(weight part: Double, rate: Double) {
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

  var squaredNorm: Double {
    guard tickets > 0 else { return 0 }
    let norm = optimizer.layout.norm(of: UnsafePointer(gradient.pointer))
    return norm * norm
  }
}
