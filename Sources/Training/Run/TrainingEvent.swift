/// What happens in a run, for the screen, the event file and callbacks.
///
/// Every number but times and rates is the same on any number of ranks. The order of a run:
///
///     started
///     step …               at step 1, every `Schedule.logEvery` steps, and the last of an epoch
///     evaluated            after each epoch and at the end, and where more is asked for
///     gradients            every `recordGradientsEvery` steps
///     saved                when a checkpoint is on the disk, some steps after it was begun
///     finished
public enum TrainingEvent: Sendable {
  case started
  case step(StepReport)
  case evaluated(EvaluationReport)
  case gradients(GradientReport)
  /// Of an asynchronous method, behind a step.
  case asynchronous(AsynchronousReport)
  case saved(SaveReport)
  case finished(RunSummary)
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
  /// Of a step: the whole exchange, and encoding and decoding of it.
  public var seconds = 0.0
  public var codingSeconds = 0.0
  /// What a plain sum takes between these ranks, as measured at the start on one bucket.
  public var plainSeconds = 0.0

  public var isWorthIt: Bool { seconds < plainSeconds }

  public init() {}
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
