import Foundation
import MPI

/// Shows a comparison: a line for each run as it ends, and on a terminal a bar of the one under way.
public final class ComparisonConsole: ComparisonObserver {
  private let terminal: Terminal
  private var label = ""

  public init(hidesProgress: Bool = false) { terminal = Terminal(hidesProgress: hidesProgress) }

  public func begins(_ label: String) { self.label = label }

  public func ended(_ run: ComparedRun, wasBefore: Bool) {
    terminal.line("run   \(run.label)  \(run.line)\(wasBefore ? " · done before" : "")")
  }

  public func phase(_ name: String) { terminal.transient("\(label): \(name) …") }

  public func warning(_ text: String) { terminal.line("warning: \(label): \(text)") }

  /// A rate that is not the one that was given is always said.
  public func banner(_ banner: Banner) {
    guard banner.scalesRate, let line = banner.lines.first(where: { $0.heading == "rate" }) else { return }
    terminal.line("rate  \(label)  \(line.text)")
  }

  public func event(_ event: TrainingEvent) {
    if case .step(let report) = event { terminal.bar(done: report.step, of: report.totalSteps, "\(label)  ") }
  }

  public func done(_ summary: RunSummary, directory: String?) { terminal.clear() }

  public func saved(step: Int, directory: String) {
    terminal.clear()
    terminal.line("run   \(label)  saved at step \(grouped(step))")
  }

  public func failure(_ failure: JobFailure) {
    terminal.clear()
    failure.print()
  }

  public func signOfLife(_ text: String) { terminal.line(afterSilenceOf: 30, "\(label): \(text)") }

  public func alreadyFinished(_ summary: SummaryFile, directory: String) {}
}

extension ComparedRun {
  /// What the run has come to, for the screen.
  package var line: String {
    if case .failed(let failure) = state { return "failed (\(failure.code)): \(failure.sentence)" }
    let figures = RunFigures(self)
    let accuracy = figures.accuracy.map { "accuracy \(decimal($0, 2))%  " } ?? ""
    let loss = figures.loss.map { "loss \(decimal($0, 4))  " } ?? ""
    let time = figures.seconds.map { " in \(duration($0))" } ?? ""
    let rate = figures.samplesPerSecond.map { "  \(grouped(Int($0))) img/s" } ?? ""
    return "\(accuracy)\(loss)\(count(figures.steps, "step"))\(time)\(rate)"
  }
}
