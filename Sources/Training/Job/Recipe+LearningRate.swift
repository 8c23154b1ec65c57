import Optimizers

/// The learning rate as the recipe's settings give it: scaled with the batch, warmed up, and on its schedule.
extension Recipe {
  /// What the highest rate is, where the batch is k times the reference.
  public enum LearningRateScaling: String, Sendable, CaseIterable {
    /// The rate as given.
    case none
    /// k times as high: k steps of the small batch and one of the large go as far (Goyal, Dollár, Girshick et al.,
    /// "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.1).
    case linear
    /// √k times as high, which keeps the variance of a step (Krizhevsky, "One weird trick for parallelizing convolutional
    /// neural networks", 2014); usual for LAMB.
    case sqrt
  }

  /// Where the warm-up begins.
  public enum WarmupStart: Sendable, Hashable, CustomStringConvertible {
    case rate(Double)
    /// The rate of the reference batch: `learningRate` before it is scaled.
    case reference

    /// Reads `reference` or a number.
    public init?(_ text: String) {
      if text == "reference" {
        self = .reference
      } else if let rate = Double(text) {
        self = .rate(rate)
      } else {
        return nil
      }
    }

    public var description: String {
      switch self {
      case .rate(let rate): "\(rate)"
      case .reference: "reference"
      }
    }
  }

  /// In how many steps a polynomial schedule arrives at its final rate.
  public enum DecaySteps: Sendable, Hashable {
    /// As many as are left after the warm-up: the rate arrives with the end of the run.
    case remaining
    /// One more than that: the schedule of MLPerf's reference, whose last step is not yet at the final rate.
    case mlperf
    case steps(Int)

    /// Reads `mlperf` or a number.
    public init?(_ text: String) {
      if text == "mlperf" {
        self = .mlperf
      } else if let steps = Int(text) {
        self = .steps(steps)
      } else {
        return nil
      }
    }

    /// As the setting is written; nil where it is left out.
    var text: String? {
      switch self {
      case .remaining: nil
      case .mlperf: "mlperf"
      case .steps(let steps): "\(steps)"
      }
    }
  }

  /// The highest learning rate, that of the global batch.
  public var peakLearningRate: Double {
    let factor = Double(batchSize) / Double(referenceBatchSize)
    return switch learningRateScaling {
    case .none: learningRate
    case .linear: learningRate * factor
    case .sqrt: learningRate * factor.squareRoot()
    }
  }

  /// Where the warm-up begins. A batch below the reference has no smaller one to start from, and starts at its peak.
  public var warmupStartRate: Double {
    switch warmupStart {
    case .rate(let rate): rate
    case .reference: min(learningRate, peakLearningRate)
    }
  }

  /// The learning rates of the run, for epochs of `stepsPerEpoch`.
  public func learningRates(stepsPerEpoch: Int) throws -> LearningRateSchedule {
    let total = totalSteps(stepsPerEpoch: stepsPerEpoch)
    let warmup = warmupSteps(stepsPerEpoch: stepsPerEpoch)
    let decay: Int? =
      switch decaySteps {
      case .remaining: nil
      case .mlperf: total - warmup + 1
      case .steps(let steps): steps
      }
    let shape: LearningRateSchedule.Shape =
      switch schedule {
      case .constant: .constant
      case .step: .step(milestones: milestones.map { $0.steps(stepsPerEpoch: stepsPerEpoch) }, factor: stepFactor)
      case .cosine: .cosine(final: finalLearningRate)
      case .polynomial: .polynomial(power: polynomialPower, final: finalLearningRate, decaySteps: decay)
      }
    return try LearningRateSchedule(
      peak: peakLearningRate, shape: shape, totalSteps: total, warmupSteps: warmup, warmupStart: warmupStartRate)
  }

  /// The highest rate and how it came about, for people: "1.6 = 0.1 × 4,096 ÷ 256 (linear)".
  var learningRateText: String {
    let batches = "\(grouped(batchSize)) ÷ \(grouped(referenceBatchSize))"
    return switch learningRateScaling {
    case .none: "\(learningRate) as given (no scaling)"
    case .linear: "\(peakLearningRate) = \(learningRate) × \(batches) (linear)"
    case .sqrt: "\(peakLearningRate) = \(learningRate) × √(\(batches)) (sqrt)"
    }
  }
}
