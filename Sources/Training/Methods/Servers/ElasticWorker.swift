import Engine
import Optimizers

/// Of asynchronous elastic averaging: a worker trains parameters of its own, and every so many of its steps they and the servers'
/// center move towards each other (Zhang, Choromańska, LeCun, "Deep learning with elastic averaging SGD", 2014, algorithm 1).
///
/// The parameters that are pushed are those before the step's gradient, as there: the difference travels while the gradient is
/// computed. With Nesterov's momentum it is the paper's EAMSGD.
final class ElasticWorker: WorkerStrategy {
  private let interval: Int
  /// Own steps before the one that the next meeting is in.
  private var untilMeeting: Int
  private var shards: LocalShards
  let outgoing: FloatBuffer
  /// The difference that is fetched.
  let incoming: FloatBuffer

  init(_ vectors: RunVectors, _ optimizer: Optimizer, every interval: Int) throws {
    (self.interval, untilMeeting) = (interval, interval - 1)
    shards = LocalShards(vectors, optimizer)
    let count = vectors.state.layout.count
    outgoing = try FloatBuffer(count: count, skew: 2176)
    incoming = try FloatBuffer(count: count, skew: 3264)
  }

  private var own: FloatBuffer { shards.parameters[0] }
  var parameters: UnsafePointer<Float> { UnsafePointer(own.pointer) }
  var computesMeanwhile: Bool { true }
  var squaredNorm: Double { shards.squaredNorms[0] }

  func startShard() { shards.start() }
  func begin(_ segment: Segment) {}
  func lastRequest() -> Request { Request() }

  func request() -> Request {
    var request = Request()
    guard untilMeeting == 0 else { return request }
    untilMeeting = interval
    outgoing.assign(from: own)
    (request.pushes, request.fetches) = (true, true)
    return request
  }

  func take(_ gradient: TicketGradient) {
    untilMeeting -= 1
    if gradient.samples > 0 { shards.update(0, at: gradient.step, measuringNorm: true) }
  }

  func takeFetched() { subtract(incoming, from: own) }
}
