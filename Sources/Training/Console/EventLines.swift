/// What happens in a run as lines of the log.

extension StepReport {
  package var line: String {
    let remaining = Double(totalSteps - step) * secondsPerStep
    return "step  " + leading(grouped(step), grouped(totalSteps).count) + "/\(grouped(totalSteps))"
      + "  loss \(decimal(loss, 4))  norm \(decimal(gradientNorm, 2))  rate \(significant(learningRate))"
      + "  " + leading(grouped(Int(samplesPerSecond)), 7) + " img/s  \(milliseconds(secondsPerStep))"
      + "  compute \(percent(shares.compute)) sum \(percent(shares.communication))"
      + (shares.hiddenCommunication > 0 ? " (and \(percent(shares.hiddenCommunication)) hidden)" : "")
      + " update \(percent(shares.update))"
      + " data \(percent(shares.data))" + (shares.saving >= 0.005 ? " save \(percent(shares.saving))" : "")
      + (compression.map { "  \($0.text)" } ?? "")
      + (remaining >= 1 ? "  eta \(duration(remaining))" : "")
  }
}

extension CompressionReport {
  /// "sends 1/98 in 12.1 ms (coding 3.0 ms; plain sum 43.2 ms)".
  package var text: String {
    let share =
      self.share >= 1 || self.share <= 0
      ? decimal(self.share, 2) : "1/\(decimal(1 / self.share, 1 / self.share < 10 ? 1 : 0))"
    return "sends \(share) in \(milliseconds(seconds)) (coding \(milliseconds(codingSeconds)); "
      + "plain sum \(milliseconds(plainSeconds)))"
  }
}

extension EvaluationReport {
  package var line: String {
    "eval  epoch \(decimal(epoch, 2))  accuracy \(decimal(100 * accuracy, 2))% "
      + "(\(grouped(correct)) of \(grouped(total)))  loss \(decimal(loss, 4))  "
      + "\(decimal(seconds, 1)) s\(isBest ? " · best so far" : "")"
  }
}

extension SaveReport {
  package var line: String {
    "save  step \(grouped(step))  \(size(bytes)) in \(decimal(seconds, 2)) s beside training, which waited "
      + "\(decimal(1000 * waited, 1)) ms"
  }
}
