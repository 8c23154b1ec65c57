import Foundation
import MPI
import TensorFiles

/// Saving: beside training while it goes on, waited for where the job ends.
///
/// A save that fails while training goes on is a warning, because the next may do; where the job ends with it, it is error 74.
extension RunSession {
  /// Seconds that training waits for a save before it, rather than leave one out.
  private static let patience = 10.0

  /// Says how the save before has ended, if it has, and whether one is due after a step that is about to be taken. Not
  /// collective.
  ///
  /// - Parameter epoch: epochs that are finished, if the step is the last of one and the state is evaluated then.
  func isSaveDue(afterStep step: Int, epoch: Int?) throws -> Bool {
    if let outcome = writer.outcome() { try report(outcome) }
    let seconds = Date().timeIntervalSince(lastSave)
    let isDue =
      epoch != nil || saving.intervals.contains { $0.isDue(afterStep: step, epoch: epoch, seconds: seconds) }
    guard isDue else { return false }
    if let outcome = writer.wait(seconds: Self.patience) { try report(outcome) }
    if let current = writer.current {
      warn(
        "the checkpoint of step \(grouped(current.step)) has been under way for \(duration(current.seconds)), so that of step "
          + "\(grouped(step)) is left out; \(lastGoodText).")
      return false
    }
    return true
  }

  /// Begins to save the state that the trainer has. Collective.
  ///
  /// - Parameter session: nil on ranks that do not hold the run directory.
  static func beginToSave(_ session: RunSession?, _ trainer: Trainer, _ end: Trainer.StepEnd) throws {
    let begin = Date()
    let room = session?.room(trainer, step: end.step)
    try trainer.copyState(to: room)
    if let session, let room { session.begin(trainer, room, end, waited: Date().timeIntervalSince(begin)) }
  }

  /// Saves the state that the trainer has and waits until it is on the disk. Collective.
  /// - Throws: 74 where that fails twice.
  static func save(
    _ session: RunSession?, _ trainer: Trainer, _ end: Trainer.StepEnd, _ world: Communicator
  ) throws {
    let room = try world.agree {
      try session?.drain()
      do { return try session?.writer.room(for: trainer.state, shards: trainer.resources.shards) } catch {
        throw TrainingError(.cannotWrite, "the state cannot be saved: there is no memory for a copy of it (\(error)).")
      }
    }
    try trainer.copyState(to: room)
    try world.agree {
      guard let session, let room else { return }
      try session.write(room, trainer, end)
    }
  }

  private func write(_ copy: TrainingState, _ trainer: Trainer, _ end: Trainer.StepEnd) throws {
    let step = end.step
    var attempts = 0
    while lastGood?.step != step {
      attempts += 1
      do {
        begin(trainer, copy, end, waited: 0)
        if let outcome = writer.wait() {
          if let failure = outcome.failure { throw failure }
          try report(outcome)
        }
      } catch  where attempts == 1 {
        // Once more, with new files: what failed may have passed.
        continue
      } catch {
        throw TrainingError(.cannotWrite, "\(sentence(step: step, error)) \(capitalised(lastGoodText)).")
      }
    }
  }

  /// Waits for what is being written.
  func drain() throws { if let outcome = writer.wait() { try report(outcome) } }

  /// Where a copy of the state goes; nil, with a warning, where there is no memory for it.
  private func room(_ trainer: Trainer, step: Int) -> TrainingState? {
    do { return try writer.room(for: trainer.state, shards: trainer.resources.shards) } catch {
      warn("\(sentence(step: step, error)) Training goes on; \(lastGoodText).")
      return nil
    }
  }

  private func begin(_ trainer: Trainer, _ copy: TrainingState, _ end: Trainer.StepEnd, waited: Double) {
    lastSave = Date()
    let best = end.progress.best
    let manifest = Checkpoint.Manifest(
      step: end.step, epoch: Double(end.step) / Double(trainer.plan.stepsPerEpoch), configuration: configuration,
      data: Self.digest(of: trainer.data), plan: trainer.planDigest,
      fingerprint: Fingerprint.ofThisMachine().description, stateSHA256: "", loss: end.progress.loss,
      best: best.map { .init(step: $0.step, correct: $0.correct, total: $0.total, loss: $0.loss) }, kernels: plan,
      totals: end.progress.totals)
    writer.begin(
      copy,
      CheckpointWriter.Request(
        manifest: manifest, bestParameters: end.isBest ? directory.file("model-best.safetensors") : nil,
        keep: saving.keep, bestStep: best?.step), waited: waited)
  }

  private func report(_ outcome: CheckpointWriter.Outcome) throws {
    if let failure = outcome.failure {
      return warn("\(sentence(step: outcome.step, failure)) Training goes on; \(lastGoodText).")
    }
    guard let checkpoint = outcome.checkpoint else { return }
    lastGood = (outcome.step, Date())
    let report = SaveReport(
      step: outcome.step, path: checkpoint.path, bytes: checkpoint.byteCount, seconds: outcome.seconds,
      waited: outcome.waited)
    record(.saved(report))
    try self.report(report)
  }

  private func sentence(step: Int, _ error: any Error) -> String {
    "the checkpoint of step \(grouped(step)) could not be written: \(error)"
  }

  private var lastGoodText: String {
    guard let lastGood else { return "there is no checkpoint yet" }
    return "the last good checkpoint is that of step \(grouped(lastGood.step)), "
      + "\(duration(Date().timeIntervalSince(lastGood.time))) old"
  }
}
