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
      + (remaining >= 1 ? "  eta \(duration(remaining))" : "")
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
