import Foundation
import MPI

/// Shows a run on standard error: a banner, a line for some steps, one for each evaluation; the result goes to standard
/// output.
///
/// On a terminal there is a step line about every two seconds with a progress bar under it, elsewhere a line about every
/// thirty seconds and no bar.
public final class Console: JobObserver {
  private let terminal: Terminal
  private let begin = Date()
  private var lastLine = Date.distantPast
  private var lastEpoch = -1
  private var lastSave = Date.distantPast
  private var hasToldOfCompression = false

  public init(hidesProgress: Bool = false) { terminal = Terminal(hidesProgress: hidesProgress) }

  public func phase(_ name: String) { terminal.transient("\(name) …") }

  public func warning(_ text: String) { terminal.line("warning: \(text)") }

  public func banner(_ banner: Banner) {
    for line in banner.lines {
      terminal.line(line.heading.isEmpty ? terminal.bold(line.text) : " " + padded(line.heading, 6) + line.text)
    }
    terminal.line("")
  }

  public func event(_ event: TrainingEvent) {
    switch event {
    case .started, .finished, .gradients, .asynchronous: break
    case .step(let report): step(report)
    case .evaluated(let report): terminal.line(report.line)
    case .saved(let report): saved(report)
    }
  }

  /// As seldom as step lines, because saves may be frequent.
  private func saved(_ report: SaveReport) {
    let now = Date()
    guard now.timeIntervalSince(lastSave) >= (terminal.isInteractive ? 2 : 30) else { return }
    lastSave = now
    terminal.line(report.line)
  }

  private func step(_ report: StepReport) {
    let now = Date()
    if report.step > 1, let compression = report.compression, !compression.isWorthIt, !hasToldOfCompression {
      hasToldOfCompression = true
      terminal.line(
        "warning: compressing takes \(milliseconds(compression.seconds)) a step, where a plain sum takes "
          + "\(milliseconds(compression.plainSeconds)) between these ranks; it costs more than it saves here.")
    }
    let isDue = now.timeIntervalSince(lastLine) >= (terminal.isInteractive ? 2 : 30)
    if isDue || report.step == 1 || report.step == report.totalSteps || report.epoch != lastEpoch {
      (lastLine, lastEpoch) = (now, report.epoch)
      terminal.line(report.line)
    }
    terminal.bar(done: report.step, of: report.totalSteps)
  }

  public func failure(_ failure: JobFailure) {
    terminal.clear()
    failure.print()
  }

  public func signOfLife(_ text: String) { terminal.line(afterSilenceOf: 30, text) }

  public func done(_ summary: RunSummary, directory: String?) {
    terminal.clear()
    guard let directory else {
      terminal.result("done  dry run of \(grouped(summary.steps)) steps: everything works; nothing was written")
      return
    }
    terminal.result(
      "done  \(grouped(summary.steps)) steps in \(duration(summary.seconds)) · test accuracy "
        + "\(decimal(100 * summary.test.accuracy, 2))% · best \(decimal(100 * summary.best.accuracy, 2))% at epoch "
        + "\(decimal(summary.best.epoch, 0)) · \(grouped(Int(summary.samplesPerSecond))) img/s")
    if let report = summary.asynchronous { terminal.result("      \(report.line)") }
    for line in summary.stragglers?.lines ?? [] { terminal.result("      \(line)") }
    terminal.result("      parameters \(directory)/model.safetensors · state \(summary.stateDigest.prefix(12))")
    terminal.result("      next: swift-dp-train evaluate --run \(directory)")
  }

  public func saved(step: Int, directory: String) {
    terminal.clear()
    terminal.result("saved (75)  asked to stop: checkpoint of step \(grouped(step)) written to \(directory)")
    terminal.result("      next: run the same command with --run-dir \(directory) to go on, on any number of ranks")
  }

  public func alreadyFinished(_ summary: SummaryFile, directory: String) {
    terminal.clear()
    terminal.result(
      "done  \(directory) is a finished run: \(grouped(summary.steps)) steps · test accuracy "
        + "\(decimal(100 * summary.testAccuracy, 2))% (\(grouped(summary.testCorrect)) of \(grouped(summary.testTotal)))"
    )
    terminal.result("      next: swift-dp-train evaluate --run \(directory), or train with another --run-dir")
  }
}
