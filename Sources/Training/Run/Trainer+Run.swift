import Datasets
import Foundation
import MPI

extension Trainer {
  /// What happens between steps. Every rank gives the same.
  public struct RunActions {
    /// Steps between reports.
    public var logEvery = 50
    /// Whether to evaluate after each epoch and at the end.
    public var evaluates = true
    /// Steps between further evaluations, which are shown and recorded: only that of an epoch's end can be the best.
    public var evaluateEvery: Int?
    /// The step to stop after, if before the end of the run.
    public var stopAfter: Int?
    /// Seconds of training, over all starts, after which the run ends with the step that it is in; nil for all steps.
    public var secondsOfTraining: Double?
    /// What a run that goes on has to show already.
    public var progress = RunProgress()
    /// Steps between comparisons of all ranks' parameters, beside those after epochs.
    public var checkEvery: Int?
    /// Steps between records of the shards' gradients.
    public var recordGradientsEvery: Int?
    /// Whether a save is due after a step for its number alone.
    public var savesByNumber: (_ step: Int) -> Bool = { _ in false }
    /// Asked before each step, on every rank, with its number and, where it is the last of an epoch and evaluated, the epochs that
    /// are finished then. If any says yes, all save after it.
    public var wantsToSave: (_ step: Int, _ epoch: Int?) throws -> Bool = { _, _ in false }
    /// Called after such a step. Collective: the state is left as it is.
    public var save: (StepEnd) throws -> Void = { _ in }
    /// Called after the last step where a rank was asked to stop, or time is over: saves and waits for it. Collective.
    public var stop: (StepEnd) throws -> Void = { _ in }

    public init(logEvery: Int = 50, evaluates: Bool = true) { (self.logEvery, self.evaluates) = (logEvery, evaluates) }
  }

  /// The end of a step, for whoever saves.
  public struct StepEnd: Sendable {
    /// From 1.
    public var step: Int
    /// Epochs that are finished, if the step was the last of one; the state has been evaluated then.
    public var epoch: Int?
    /// Whether that evaluation was better than all before.
    public var isBest = false
    public var progress = RunProgress()
  }

  /// Trains from the state's position to the end. Collective.
  ///
  /// - Parameter observe: called on every rank with the same events; only times and rates differ.
  /// - Returns: nil where a rank was asked to stop: the state is saved, and the run can go on from there.
  public func run(_ actions: RunActions, _ observe: (TrainingEvent) throws -> Void) throws -> RunSummary? {
    let begin = DispatchTime.now().uptimeNanoseconds
    let advance = try makeAdvance()
    var progress = actions.progress
    let limit = actions.secondsOfTraining ?? .infinity
    // Rank 0 alone says when time is over: while it saves between steps, the others wait in the next one.
    clock = TrainingClock(spent: progress.totals.seconds, limit: world.rank == 0 ? limit : .infinity)
    // Killed between its last step and its summary, a run has no time left.
    var end = progress.totals.seconds >= limit ? state.position.step : min(actions.stopAfter ?? totalSteps, totalSteps)
    let before = progress.totals
    var latest: EvaluationReport?
    var window = Window()
    /// Whether a save is due that ranks have not yet agreed on.
    var isSavePostponed = false
    try observe(.started(startReport(ranks: world.size)))

    while state.position.step < end {
      let planned = Moment(nextMeeting(before: end, actions), self, actions, end: end)
      enter(.saving)
      let wantsToSave = try actions.wantsToSave(planned.number, planned.evaluatedEpochs) || isSavePostponed
      clock.beginStep()
      let result = try advance(planned, wantsToSave)
      clock.endStep()
      isSavePostponed = wantsToSave && !planned.meets
      // An asynchronous method may have ended sooner.
      let number = state.position.step
      if result.wishes.finish { end = number }
      let moment = Moment(number, self, actions, end: end, finishes: result.wishes.finish)
      // Every rank has the same loss, and so the same error: it is said once.
      if let loss = result.loss {
        guard loss.isFinite else { return try world.agree { throw diverged(at: number, loss) } }
        progress.loss = loss
      }
      progress.totals.seconds = clock.seconds
      progress.totals.samples += result.samples
      progress.totals.gradientBytes = before.gradientBytes + method.traffic.modelled
      progress.totals.sentBytes = before.sentBytes + method.traffic.sent
      window.add(result)
      if moment.isReported {
        var report = StepReport(number, of: end, result, progress)
        window.close(&report, times.shares)
        report.compression = try method.takeCompression().map { try $0.ofTheLast(on: world) }
        restartTimes()
        try observe(.step(report))
        if let report = (method as? AsynchronousMethod)?.report { try observe(.asynchronous(report)) }
      }
      if let digests = result.gradientDigests {
        try observe(.gradients(GradientReport(step: number, digests: digests)))
      }
      if let every = actions.checkEvery, number % every == 0 { try checkParametersAreEqual("after step \(number)") }
      var stepEnd = StepEnd(step: number)
      if moment.isEvaluatedBetween {
        try observe(.evaluated(evaluate()))
        window.reopen()
      }
      if moment.evaluatedEpochs != nil {
        let report = try evaluate(best: &progress.best)
        latest = report
        try observe(.evaluated(report))
        try checkParametersAreEqual("after step \(number)")
        stepEnd.epoch = result.epoch + 1
        stepEnd.isBest = report.isBest
      }
      stepEnd.progress = progress
      enter(.saving)
      if result.wishes.save || result.wishes.stop { try settle() }
      if result.wishes.save {
        // The others wait until rank 0 has a copy of what they keep.
        activity.enter(world.rank == 0 ? .saving : .waitingForFirst)
        try actions.save(stepEnd)
      }
      // Nobody was asked before the step whether its end is to be saved.
      if result.wishes.finish { try actions.stop(stepEnd) }
      enter(nil)
      if result.wishes.stop && number < end {
        activity.enter(world.rank == 0 ? .saving : .waitingForFirst)
        try actions.stop(stepEnd)
        return nil
      }
      if moment.endsEpoch { window.reopen() }
    }

    // What is under way is a part of the state.
    if !actions.evaluates { try settle() }
    let stragglers = try stragglerReport(
      samplesPerSecond: window.samplesPerSecond, samplesPerStep: window.samplesPerStep)
    let final = try latest ?? (actions.evaluates ? evaluate(best: &progress.best) : EvaluationReport.none)
    var summary = RunSummary(
      steps: state.position.step, epochs: Double(state.position.step) / Double(plan.stepsPerEpoch),
      finalTrainLoss: progress.loss, test: final, best: progress.best ?? final,
      // A start that only finishes what was trained before has no steps of its own.
      samplesPerSecond: window.samplesPerSecond > 0 ? window.samplesPerSecond : progress.totals.samplesPerSecond ?? 0,
      seconds: Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9,
      parametersDigest: try state.parametersDigest().description, stateDigest: try stateDigest().description,
      asynchronous: (method as? AsynchronousMethod)?.report)
    summary.shareOfWaiting = stragglers?.shareOfWaiting
    if delay != nil || stragglers?.isNotable(seconds: window.allSeconds) ?? false { summary.stragglers = stragglers }
    try observe(.finished(summary))
    return summary
  }

  /// What is to be done after a step.
  private struct Moment {
    /// From 1.
    let number: Int
    let endsEpoch: Bool
    let isReported: Bool
    let isRecorded: Bool
    /// Whether all ranks meet after it: always, but for methods that do not wait for each other in every step.
    let meets: Bool
    /// Epochs that are finished, where the state is evaluated.
    let evaluatedEpochs: Int?
    /// Whether it is evaluated within an epoch.
    let isEvaluatedBetween: Bool

    /// - Parameter finishes: whether the run ends with it before its last step.
    init(_ number: Int, _ trainer: Trainer, _ actions: RunActions, end: Int, finishes: Bool = false) {
      let stepsPerEpoch = trainer.plan.stepsPerEpoch
      self.number = number
      endsEpoch = number % stepsPerEpoch == 0 || number == trainer.totalSteps || finishes
      isEvaluatedBetween = actions.evaluates && !endsEpoch && actions.evaluateEvery.map { number % $0 == 0 } ?? false
      isReported =
        number == 1 || number % actions.logEvery == 0 || endsEpoch || isEvaluatedBetween || number == end
      meets = isReported || trainer.method.meets(after: number - 1) || actions.savesByNumber(number)
      isRecorded = actions.recordGradientsEvery.map { number % $0 == 0 } ?? false
      evaluatedEpochs = actions.evaluates && endsEpoch ? (number - 1) / stepsPerEpoch + 1 : nil
    }
  }

  /// What takes the run on to a moment: a step, or a segment of an asynchronous method.
  private func makeAdvance() throws -> (Moment, _ wantsToSave: Bool) throws -> StepResult {
    if let method = method as? AsynchronousMethod {
      let reader = makePartReader()
      return { moment, wantsToSave in
        try self.segment(
          method, reader, to: moment.number, measuringNorm: moment.isReported, wantsToSave: wantsToSave)
      }
    }
    let reader = try makeReader()
    return { moment, wantsToSave in
      try self.step(
        reader, measuringNorm: moment.isReported, recordsGradients: moment.isRecorded, wantsToSave: wantsToSave,
        meets: moment.meets)
    }
  }

  private func evaluate(best: inout EvaluationReport?) throws -> EvaluationReport {
    var report = try evaluate()
    report.isBest = best.map { report.correct > $0.correct } ?? true
    if report.isBest { best = report }
    return report
  }

  private func startReport(ranks: Int) -> StartReport {
    StartReport(
      step: state.position.step, ranks: ranks, plan: planDigest, fingerprint: Fingerprint.ofThisMachine().description,
      dataDigest: RunSession.digest(of: data))
  }

  private func diverged(at number: Int, _ loss: Double) -> TrainingError {
    TrainingError(
      .diverged,
      "training diverged: the loss of step \(number) is \(loss.isNaN ? "not a number" : "infinite"). Lower --learning-rate "
        + "(\(recipe.learningRate)), raise --warmup-epochs, or set --clip-norm.")
  }
}

/// The steps since the last report, and the rate over all steps.
private struct Window {
  private var start = DispatchTime.now().uptimeNanoseconds
  private var steps = 0
  private var samples = 0
  private(set) var allSeconds = 0.0
  private var allSamples = 0
  private var allSteps = 0

  mutating func add(_ result: Trainer.StepResult) {
    steps += result.steps
    samples += result.samples
  }

  /// Fills in the rates and begins the next window.
  mutating func close(_ report: inout StepReport, _ shares: StepTimes.Shares) {
    let now = DispatchTime.now().uptimeNanoseconds
    let seconds = Double(now - start) / 1e9
    report.samplesPerSecond = Double(samples) / max(seconds, 1e-9)
    report.secondsPerStep = seconds / Double(max(steps, 1))
    report.shares = shares
    allSeconds += seconds
    allSamples += samples
    allSteps += steps
    (start, steps, samples) = (now, 0, 0)
  }

  /// Leaves out the time since the last report: evaluation and saving are no steps.
  mutating func reopen() { start = DispatchTime.now().uptimeNanoseconds }

  /// Over all steps that are reported so far.
  var samplesPerStep: Double { Double(allSamples) / Double(max(allSteps, 1)) }
  var samplesPerSecond: Double { allSeconds > 0 ? Double(allSamples) / allSeconds : 0 }
}

extension StepReport {
  fileprivate init(_ number: Int, of totalSteps: Int, _ result: Trainer.StepResult, _ progress: RunProgress) {
    self.init(
      step: number, totalSteps: totalSteps, epoch: result.epoch, loss: progress.loss,
      gradientNorm: result.gradientNorm, learningRate: result.learningRate, samplesPerSecond: 0, secondsPerStep: 0,
      shares: StepTimes.Shares(), totals: progress.totals)
  }
}

extension EvaluationReport {
  /// Of a run that does not evaluate.
  fileprivate static let none = EvaluationReport(
    epoch: 0, step: 0, correct: 0, total: 0, loss: 0, seconds: 0, isBest: false)
}
