/// An event of a run as `events.jsonl` holds it.
public enum RunEvent: Sendable, Hashable {
  /// The job began, or went on from a checkpoint.
  case started(Start = Start())
  case step(Step)
  case evaluated(Evaluation)
  /// A checkpoint is on the disk.
  case saved(step: Int, path: String)
  /// The SHA-256 of each shard's gradient.
  case gradients(step: Int, digests: [String])
  /// With the share of all ranks' time that went by in waiting, where it was measured.
  case finished(step: Int, shareOfWaiting: Double? = nil)

  /// Nil is what a program that wrote less did not say.
  public struct Start: Sendable, Hashable {
    /// Steps that were taken before.
    public var step: Int?
    public var fingerprint: String?
    public var dataDigest: String?
    /// Of the parameters that came from a file.
    public var initialDigest: String?

    public init(
      step: Int? = nil, fingerprint: String? = nil, dataDigest: String? = nil, initialDigest: String? = nil
    ) {
      (self.step, self.fingerprint) = (step, fingerprint)
      (self.dataDigest, self.initialDigest) = (dataDigest, initialDigest)
    }
  }

  public struct Step: Sendable, Hashable {
    /// From 1.
    public var step: Int
    public var loss: Double
    /// Up to the end of this step; nil in files of programs that did not count.
    public var totals: RunTotals?

    public init(step: Int, loss: Double, totals: RunTotals? = nil) {
      (self.step, self.loss, self.totals) = (step, loss, totals)
    }
  }

  public struct Evaluation: Sendable, Hashable {
    /// Steps taken before it.
    public var step: Int
    public var epoch: Double
    public var correct: Int
    public var total: Int
    /// Mean loss.
    public var loss: Double
    public var accuracy: Double { total == 0 ? 0 : Double(correct) / Double(total) }

    public init(step: Int, epoch: Double, correct: Int, total: Int, loss: Double) {
      (self.step, self.epoch, self.correct, self.total, self.loss) = (step, epoch, correct, total, loss)
    }
  }
}

extension RunEvent {
  /// Nil for an event that this program does not know, and one that lacks what belongs to it.
  init?(_ fields: EventFields) {
    switch (fields.event, fields.step) {
    case ("started", let step):
      self = .started(
        Start(
          step: step, fingerprint: fields.fingerprint, dataDigest: fields.dataSHA256, initialDigest: fields.initSHA256))
    case ("step", let step?):
      guard let loss = fields.loss else { return nil }
      self = .step(Step(step: step, loss: loss, totals: RunTotals(fields)))
    case ("evaluated", let step?):
      guard let epoch = fields.epoch, let correct = fields.correct, let total = fields.total, let loss = fields.loss
      else { return nil }
      self = .evaluated(Evaluation(step: step, epoch: epoch, correct: correct, total: total, loss: loss))
    case ("checkpoint", let step?):
      guard let path = fields.path else { return nil }
      self = .saved(step: step, path: path)
    case (GradientReport.eventName, let step?):
      guard let digests = fields.digests else { return nil }
      self = .gradients(step: step, digests: digests)
    case ("finished", let step?): self = .finished(step: step, shareOfWaiting: fields.shareOfWaiting)
    default: return nil
    }
  }
}

extension RunTotals {
  fileprivate init?(_ fields: EventFields) {
    guard let seconds = fields.trainingSeconds, let samples = fields.trainedSamples,
      let sent = fields.sentBytes, let gradient = fields.gradientBytes
    else { return nil }
    (self.seconds, self.samples, sentBytes, gradientBytes) = (seconds, samples, sent, gradient)
  }
}
