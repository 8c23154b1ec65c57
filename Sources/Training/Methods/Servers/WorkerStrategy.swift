import Engine
import Optimizers

/// A gradient that a worker has computed for a ticket.
struct TicketGradient {
  /// The ticket's global step.
  let step: UpdateStep
  let samples: Int
  /// Its part of the global batch.
  let part: Double
  /// Of each server, when it sent what was fetched last.
  let clocks: [Int]
}

/// What a worker does with its gradients, and what it says to servers: where asynchronous methods differ.
///
///     strategy             computes its gradients at          tells servers
///     GradientPushing      the servers' parameters            gradients, and fetches parameters
///     ElasticWorker        parameters of its own              those, every so many steps, and fetches the elastic difference
///     GossipWorker         parameters of its own              nothing; it tells other workers
protocol WorkerStrategy: AnyObject {
  /// At which the next gradient is computed.
  var parameters: UnsafePointer<Float> { get }
  /// What a request pushes, and where goes what it fetches.
  var outgoing: FloatBuffer { get }
  var incoming: FloatBuffer { get }
  /// Of each server, when it sent the parameters that `outgoing` was computed at; nil where those are what was fetched last.
  var origin: [Int]? { get }
  /// Whether the next gradient is computed while what was fetched is under way.
  var computesMeanwhile: Bool { get }
  /// Of the last gradient; 0 where it is not known.
  var squaredNorm: Double { get }

  /// Makes the shard's vectors those of a run that starts from the run's parameters.
  func startShard()
  func begin(_ segment: Segment)
  /// What servers are asked for together with the next ticket; `outgoing` is free.
  func request() -> Request
  /// What is fetched is there.
  func takeFetched()
  /// The gradient is there; `outgoing` is free.
  func take(_ gradient: TicketGradient)
  /// The last word of a segment.
  func lastRequest() -> Request

  // Of workers that meet each other.

  /// Does what other workers want done between steps, and while this one waits.
  /// - Returns: whether there was anything.
  func attend() throws -> Bool
  /// Whether the next step may begin.
  var isReady: Bool { get }
  /// Whether nothing is under way that it has asked for or sent.
  func isQuiet() throws -> Bool
  /// By the staleness of what it took from others, in the segment at hand.
  var staleness: [Int] { get }
  /// Of its parameters in what is evaluated.
  var share: Float { get }
  /// Bytes sent to other workers since this was asked last.
  func takeSentBytes() -> Int
}

extension WorkerStrategy {
  var origin: [Int]? { nil }
  func attend() -> Bool { false }
  var isReady: Bool { true }
  func isQuiet() -> Bool { true }
  var staleness: [Int] { [] }
  var share: Float { 0 }
  func takeSentBytes() -> Int { 0 }
}
