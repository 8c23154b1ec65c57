import Datasets
import Foundation
import MPI

extension Trainer {
  /// Trains from the state's position to the end. Collective.
  ///
  /// - Parameters:
  ///   - logEvery: steps between reports.
  ///   - evaluates: whether to evaluate after each epoch and at the end.
  ///   - onBest: called on every rank when an evaluation beats all before.
  ///   - observe: called on every rank with the same events; only times and rates differ.
  public func run(
    logEvery: Int = 50, evaluates: Bool = true, onBest: (EvaluationReport) throws -> Void = { _ in },
    _ observe: (TrainingEvent) throws -> Void
  ) throws -> RunSummary {
    let begin = DispatchTime.now().uptimeNanoseconds
    let reader = try makeReader()
    var best: EvaluationReport?
    var latest: EvaluationReport?
    var window = Window()
    var lastLoss = Double.nan
    var samples = 0
    var secondsInSteps = 0.0
    try observe(.started)

    while state.position.step < totalSteps {
      let number = state.position.step + 1
      let endsEpoch = number % plan.stepsPerEpoch == 0
      let isReported = number == 1 || number % logEvery == 0 || endsEpoch || number == totalSteps
      let result = try step(reader, measuringNorm: isReported)
      guard result.loss.isFinite else { throw diverged(at: number, result) }
      lastLoss = result.loss
      samples += result.batch.sampleCount
      window.add(samples: result.batch.sampleCount)
      if isReported {
        let report = window.close(
          StepReport(
            step: number, totalSteps: totalSteps, epoch: result.batch.epoch, loss: result.loss,
            gradientNorm: result.gradientNorm, learningRate: result.learningRate, samplesPerSecond: 0,
            secondsPerStep: 0, shares: times.shares))
        secondsInSteps += report.secondsPerStep * Double(report.stepsInWindow)
        times = StepTimes()
        try observe(.step(report.step))
      }
      if evaluates && (endsEpoch || number == totalSteps) {
        latest = try evaluateAndKeepBest(&best, onBest)
        if let latest { try observe(.evaluated(latest)) }
        try checkParametersAreEqual("after step \(number)")
        window = Window()
      }
    }

    let final = try latest ?? evaluate()
    let summary = RunSummary(
      steps: state.position.step, epochs: Double(state.position.step) / Double(plan.stepsPerEpoch),
      finalTrainLoss: lastLoss, test: final, best: best ?? final,
      samplesPerSecond: secondsInSteps > 0 ? Double(samples) / secondsInSteps : 0,
      seconds: Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9,
      parametersDigest: try state.parametersDigest().description, stateDigest: try state.stateDigest().description)
    try observe(.finished(summary))
    return summary
  }

  private func evaluateAndKeepBest(
    _ best: inout EvaluationReport?, _ onBest: (EvaluationReport) throws -> Void
  ) throws -> EvaluationReport {
    var report = try evaluate()
    report.isBest = best.map { report.correct > $0.correct } ?? true
    if report.isBest {
      best = report
      try onBest(report)
    }
    return report
  }

  private func diverged(at number: Int, _ result: StepResult) -> TrainingError {
    TrainingError(
      .diverged,
      "training diverged: the loss of step \(number) is \(result.loss). Lower --learning-rate "
        + "(\(recipe.learningRate)), raise --warmup-epochs, or set --clip-norm.")
  }
}

/// The steps since the last report.
private struct Window {
  private var start = DispatchTime.now().uptimeNanoseconds
  private var steps = 0
  private var samples = 0

  mutating func add(samples count: Int) {
    steps += 1
    samples += count
  }

  /// Fills in the rates and begins the next window.
  mutating func close(_ report: StepReport) -> (step: StepReport, secondsPerStep: Double, stepsInWindow: Int) {
    let now = DispatchTime.now().uptimeNanoseconds
    let seconds = Double(now - start) / 1e9
    var report = report
    report.samplesPerSecond = Double(samples) / max(seconds, 1e-9)
    report.secondsPerStep = seconds / Double(max(steps, 1))
    let result = (report, report.secondsPerStep, steps)
    (start, steps, samples) = (now, 0, 0)
    return result
  }
}
