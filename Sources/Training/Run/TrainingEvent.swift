import MPI

/// What happens in a run, for the screen, the event file and callbacks.
///
/// Every number but times and rates is the same on any number of ranks. The order of a run:
///
///     started
///     step …               at step 1, every `RunActions.logEvery` steps, and the last of an epoch
///     asynchronous         behind a step, of asynchronous methods
///     gradients            every `recordGradientsEvery` steps
///     evaluated            after each epoch and at the end, and where more is asked for
///     saved                when a checkpoint is on the disk, some steps after it was begun
///     finished
public enum TrainingEvent: Sendable {
  case started(StartReport)
  case step(StepReport)
  case evaluated(EvaluationReport)
  case gradients(GradientReport)
  /// Of an asynchronous method, behind a step.
  case asynchronous(AsynchronousReport)
  case saved(SaveReport)
  case finished(RunSummary)
}

/// What training begins or goes on with.
public struct StartReport: Sendable {
  /// Steps that are taken already.
  public var step: Int
  public var ranks: Int
  /// The digest of kernels and layouts, and what else decides bits.
  public var plan: String
  public var fingerprint: String
  /// The SHA-256 of the data set.
  public var dataDigest: String
  /// Of the parameters that a file gave it, as `parameters_sha256`; nil for a start from the seed or from a checkpoint.
  public var initialDigest: String?
}

/// What `replay` compares with.
public struct GradientReport: Sendable {
  /// From 1.
  public var step: Int
  /// The SHA-256 of each shard's gradient before it was summed, in the standard layout.
  public var digests: [String]
}

/// A checkpoint that is whole and on the disk.
public struct SaveReport: Sendable {
  public var step: Int
  public var path: String
  public var bytes: Int
  /// From the copy of the state to the end, beside training.
  public var seconds: Double
  /// Of those, the time that training waited.
  public var waited: Double
}

/// One step, and the rates since the report before.
public struct StepReport: Sendable {
  /// From 1.
  public var step: Int
  public var totalSteps: Int
  /// From 0.
  public var epoch: Int
  /// Mean loss of the global batch.
  public var loss: Double
  /// The L2 norm of the gradient.
  public var gradientNorm: Double
  public var learningRate: Double
  public var samplesPerSecond: Double
  public var secondsPerStep: Double
  /// Shares of the time since the report before.
  public var shares: StepTimes.Shares
  /// Since the run began.
  public var totals = RunTotals()
  /// Nil where gradients are not compressed.
  public var compression: CompressionReport?
}

/// What compressing gradients costs and spares, in the steps since the report before.
public struct CompressionReport: Sendable, Hashable {
  /// Bytes that the busiest shard sends, over those of a plain sum, were each on a host of its own.
  public var share = 0.0
  /// Of a step: the whole exchange, and encoding and decoding of it. Of the rank that comes last, and so waits for nobody.
  public var seconds = 0.0
  public var codingSeconds = 0.0
  /// What a plain sum takes between these ranks, as measured at the start on one bucket.
  public var plainSeconds = 0.0

  public var isWorthIt: Bool { seconds < plainSeconds }

  public init() {}

  /// With the times of the rank that waits least. Collective.
  func ofTheLast(on world: Communicator) throws -> CompressionReport {
    var report = self
    var times = [seconds, codingSeconds]
    try world.allReduce(&times, .minimum)
    (report.seconds, report.codingSeconds) = (times[0], times[1])
    return report
  }
}

/// The whole set once through the network.
public struct EvaluationReport: Sendable {
  /// Epochs finished, and the global steps taken.
  public var epoch: Double
  public var step: Int
  public var correct: Int
  public var total: Int
  /// Mean loss.
  public var loss: Double
  public var seconds: Double
  public var isBest: Bool
  public var accuracy: Double { total == 0 ? 0 : Double(correct) / Double(total) }
}

/// What a run has to show so far. It goes into each checkpoint, so that a run that goes on ends with the same summary.
public struct RunProgress: Sendable {
  public var best: EvaluationReport?
  /// Of the last step; not a number before the first.
  public var loss = Double.nan
  public var totals = RunTotals()
  public init() {}
}

/// How a run ended.
public struct RunSummary: Sendable {
  public var steps: Int
  public var epochs: Double
  public var finalTrainLoss: Double
  public var test: EvaluationReport
  public var best: EvaluationReport
  public var samplesPerSecond: Double
  public var seconds: Double
  public var parametersDigest: String
  public var stateDigest: String
  /// Of an asynchronous method.
  public var asynchronous: AsynchronousReport?
  /// Of all ranks' time in steps, in waiting for each other. On rank 0, as all that follows; nil where only one rank computes.
  public var shareOfWaiting: Double?
  /// Where there were any, or time was lost on purpose.
  public var stragglers: StragglerReport?
}
