import Foundation
import TensorFiles

/// Saving: beside training while it goes on, waited for where the job ends.
///
/// A save that fails while training goes on is a warning, because the next may do; where the job ends with it, it is error 74.
extension RunSession {
  /// Seconds that training waits for a save before it, rather than leave one out.
  private static let patience = 10.0

  /// Says how the save before has ended, if it has, and begins one where it is due. Not collective.
  func afterStep(_ trainer: Trainer, _ end: Trainer.StepEnd) throws {
    if let outcome = writer.outcome() { try report(outcome) }
    let seconds = Date().timeIntervalSince(lastSave)
    let isDue =
      end.epoch != nil
      || saving.intervals.contains { $0.isDue(afterStep: end.step, epoch: end.epoch, seconds: seconds) }
    guard isDue else { return }
    if let outcome = writer.wait(seconds: Self.patience) { try report(outcome) }
    if let current = writer.current {
      return warn(
        "the checkpoint of step \(grouped(current.step)) has been under way for \(duration(current.seconds)), so that of step "
          + "\(grouped(end.step)) is left out; \(lastGoodText).")
    }
    do { try begin(trainer, end) } catch {
      warn("\(sentence(step: end.step, error)) Training goes on; \(lastGoodText).")
    }
  }

  /// Saves the state that the trainer has and waits until it is on the disk.
  /// - Throws: 74 where that fails twice.
  func save(_ trainer: Trainer, _ progress: RunProgress) throws {
    try drain()
    let step = trainer.state.position.step
    var attempts = 0
    while lastGood?.step != step {
      attempts += 1
      do {
        try begin(trainer, Trainer.StepEnd(step: step, progress: progress))
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

  private func begin(_ trainer: Trainer, _ end: Trainer.StepEnd) throws {
    lastSave = Date()
    let best = end.progress.best
    let manifest = Checkpoint.Manifest(
      step: end.step, epoch: Double(end.step) / Double(trainer.plan.stepsPerEpoch), configuration: configuration,
      data: Self.digest(of: trainer.data), plan: trainer.planDigest,
      fingerprint: Fingerprint.ofThisMachine().description, stateSHA256: "", loss: end.progress.loss,
      best: best.map { .init(step: $0.step, correct: $0.correct, loss: $0.loss) }, kernels: plan,
      totals: end.progress.totals)
    try writer.begin(
      trainer.state,
      CheckpointWriter.Request(
        manifest: manifest, bestParameters: end.isBest ? directory.file("model-best.safetensors") : nil,
        keep: saving.keep, bestStep: best?.step))
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

  private func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}
