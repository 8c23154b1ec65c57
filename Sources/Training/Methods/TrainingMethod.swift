import Engine
import Optimizers

/// Bytes that methods are compared by.
struct MethodTraffic {
  /// By this rank; ranks that share memory send nothing.
  var sent = 0
  /// By the busiest shard, were each on a host of its own.
  var modelled = 0
}

/// How many samples a batch has.
struct BatchSamples {
  /// Of each hosted shard.
  let hosted: [Int]
  let global: Int
}

/// How the gradients of a step become parameters: what the training loop leaves to the recipe's method.
///
///     method                 a shard's gradient is taken at      after a step
///     synchronous            the run's parameters                the sum of gradients updates them
///     local                  its own parameters                  it updates its own; every H steps all take their mean
///     easgd                  its own parameters                  it updates its own; every H steps they and a center attract
///     stochastic-push        its own parameters                  it updates its own, then they are mixed with one other shard's
///     downpour               the servers', as fetched last       servers update their part with it, when it arrives
///     backup-workers         the servers' of this step           the first of a step's gradients update them
///     asynchronous-easgd     its own parameters                  as easgd, each with the center at its own pace
///     gossip                 its own parameters                  it updates its own; every τ steps it takes the mean with another
///     gosgd                  its own parameters                  it updates its own, and by chance pushes them to another
///
/// The last five work in segments of several steps (`AsynchronousMethod`). All others are defined over shards, so that bits do not
/// depend on ranks. Calls come in this order for each step, on all ranks.
protocol TrainingMethod: AnyObject {
  /// Makes the shards' vectors those of a run that starts from the run's parameters.
  func startShards()

  /// The parameters under which a hosted shard computes its gradient.
  func parameters(ofHosted index: Int) -> UnsafePointer<Float>

  /// Whether a shard's gradient is the mean over its own samples, rather than its part of the mean over the global batch.
  func takesOwnMean(at step: Int) -> Bool

  /// What goes on beside the computation of gradients.
  func companion(at step: UpdateStep) -> Executor.Companion?

  /// Nanoseconds of the computation in which it was under way; the next step's start at 0.
  func takeHidden() -> UInt64

  /// What shards do with their gradients together, and what each does by itself. Collective.
  ///
  /// - Parameters:
  ///   - enter: told of each phase.
  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws

  /// Squares of the norms of the hosted shards' own gradients, where they update by themselves; they are averaged.
  var squaredNorms: [Double] { get }

  /// Whether all ranks are in step after a step, counted from 0, so that losses and wishes can be exchanged at no cost. Elsewhere
  /// nobody waits for those whom the method does not need.
  func meets(after step: Int) -> Bool

  /// Steps at the beginning of the run in which gradients are summed, whatever the method does later.
  var synchronousSteps: Int { get }

  /// The rest of the update; returns the norm of the gradient where it was asked for and is known here.
  func update(at step: UpdateStep, measuringNorm: Bool) -> Double?

  /// Bytes sent since the method was made.
  var traffic: MethodTraffic { get }

  /// Measures what it compares itself with, before the first step. Collective.
  func prepare() throws

  /// What compressing cost and spared since this was asked last; nil where nothing is compressed.
  func takeCompression() -> CompressionReport?

  /// What it says of its sums; empty where they are the reducer's.
  var text: String { get }

  /// Puts what is evaluated into the run's parameters, equal on all ranks; the shards' stay as they are. Collective.
  ///
  /// - Parameter step: steps that are taken.
  func settle(after step: Int) throws
}

/// Of a method whose shards have no parameters of their own, and which does nothing beside the computation of gradients.
extension TrainingMethod {
  func startShards() {}
  var squaredNorms: [Double] { [] }
  func settle(after step: Int) {}
  func companion(at step: UpdateStep) -> Executor.Companion? { nil }
  func takeHidden() -> UInt64 { 0 }
  func update(at step: UpdateStep, measuringNorm: Bool) -> Double? { nil }
  var text: String { "" }
  func meets(after step: Int) -> Bool { true }
  var synchronousSteps: Int { 0 }
  func prepare() throws {}
  func takeCompression() -> CompressionReport? { nil }
}
