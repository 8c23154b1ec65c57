import Foundation
import TensorFiles

extension ComparisonReport {
  /// Writes report.md, report.csv and the plots, each whole or not at all.
  /// - Throws: 74.
  public func write(to directory: String) throws {
    try classifying {
      for (name, text) in [("report.md", markdown), ("report.csv", csv)] + plots.map({ ($0.name, $0.plot.svg) }) {
        try AtomicFile.write(Array((text.hasSuffix("\n") ? text : text + "\n").utf8), to: directory + "/" + name)
      }
    }
  }

  public var markdown: String {
    var lines = ["# Comparison", ""]
    lines += record.command.split(separator: "\n").map { "    " + $0 }
    lines += [
      "", "\(conditions)\(record.machine).", "",
      "\(finishedCount) of \(count(runs.count, "run")) finished. Values are means over seeds ± their standard deviation.",
      "",
    ]
    let headings = ["run", "settings", "seeds"] + self.headings
    lines.append("| " + headings.joined(separator: " | ") + " |")
    lines.append("|---|---|---" + String(repeating: "|--:", count: headings.count - 3) + "|")
    for row in rows {
      let cells = [row.name, row.settings, row.seeds.map(String.init).joined(separator: ", ")] + row.figures
      lines.append("| " + cells.joined(separator: " | ") + " |")
    }
    let open = runs.filter { $0.state != .finished }
    if !open.isEmpty {
      lines += ["", "Not finished:", ""]
      for run in open { lines.append("- \(run.name), seed \(run.seed): \(run.stateText)") }
    }
    lines += [
      "",
      "Train loss is that of the last step's batch, or with workers at their own pace of the steps since the report before. "
        + "Seconds are those of steps, without evaluation and saving. Waiting is that of "
        + "ranks for each other, in percent of the time of all. Gradient bytes are what the busiest rank would send for the sums "
        + "of gradients, were every shard on a host of its own; sent bytes are what "
        + "rank 0 sent (none over shared memory, and none that an MPI library sent for `native`).",
      "",
    ]
    lines += plots.map { "![\($0.plot.title)](\($0.name))" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What times depend on beside settings: of all runs, or where they differ of each.
  private var conditions: String {
    let ended = record.runs.filter { $0.conditions != nil }
    let all = Set(ended.compactMap(\.conditions))
    if all.count < 2 { return "\(all.first ?? count(record.ranks, "rank")); " }
    return "Times cannot be compared, because runs were ended by different jobs: "
      + ended.map { "\($0.label) by \($0.conditions ?? "")" }.joined(separator: "; ") + ".\n\n"
  }

  /// Of the columns that hold numbers, in the order of the table.
  public var headings: [String] {
    [
      "test accuracy %", "best %", "train loss", "steps", "seconds", "samples/s", "waiting %", "gradient bytes/step",
      "sent bytes/step",
    ] + (record.target.map { ["reached \(significant($0))%", "seconds to it", "gradient bytes to it"] } ?? [])
  }

  /// A line for each run, whatever its state.
  public var csv: String {
    let header =
      "run,seed,state,test_accuracy,best_accuracy,train_loss,steps,seconds,samples_per_second,waiting_percent,"
      + "gradient_bytes_per_step,sent_bytes_per_step,failure"
    let lines = runs.map { run in
      let figures = RunFigures(run)
      func text(_ value: Double?, _ places: Int) -> String { value.map { decimal($0, places) } ?? "" }
      let failure = run.failure.map { "\"" + $0.sentence.replacingOccurrences(of: "\"", with: "\"\"") + "\"" } ?? ""
      let cells = [
        run.name, "\(run.seed)", run.stateName, text(figures.accuracy, 4), text(figures.bestAccuracy, 4),
        text(figures.loss, 6), "\(figures.steps)", text(figures.seconds, 3), text(figures.samplesPerSecond, 1),
        text(figures.waiting, 2), text(figures.gradientBytesPerStep, 0), text(figures.sentBytesPerStep, 0), failure,
      ]
      return cells.joined(separator: ",")
    }
    return ([header] + lines).joined(separator: "\n") + "\n"
  }

  /// Test accuracy and training loss against seconds, steps and bytes.
  public var plots: [(name: String, plot: LinePlot)] {
    let names = runs.map(\.name).uniqued
    func plot(_ title: String, _ y: LinePlot.Axis, _ scale: RunCurve.Scale, _ points: (RunCurve) -> [(Double, Double)])
      -> LinePlot
    {
      let series = names.map { name in
        let lines = runs.filter { $0.name == name }.map { points($0.curve) }
        return LinePlot.Series(name, lines[0], further: Array(lines.dropFirst()))
      }
      return LinePlot("\(title) over \(scale.rawValue)", x: axis(scale), y: y, series: series)
    }
    let accuracy = LinePlot.Axis("test accuracy in %", isLogarithmic: false, beginsAtZero: false)
    return RunCurve.Scale.allCases.map { scale in
      ("accuracy-\(scale.rawValue).svg", plot("Test accuracy", accuracy, scale) { $0.accuracies(over: scale) })
    }
      + RunCurve.Scale.allCases.map { scale in
        ("loss-\(scale.rawValue).svg", plot("Training loss", .init("loss"), scale) { $0.losses(over: scale) })
      }
  }

  private func axis(_ scale: RunCurve.Scale) -> LinePlot.Axis {
    switch scale {
    case .seconds: return .init("seconds of training", isLogarithmic: false)
    case .steps: return .init("steps", isLogarithmic: false)
    case .bytes:
      // Methods differ by factors; where one sends nothing (a single shard) there is no logarithm.
      let all = runs.compactMap(\.curve.totals?.gradientBytes)
      return .init("gradient bytes that the busiest rank would send", isLogarithmic: !all.contains(0)) { bytes in
        let (factor, unit) = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")].first { bytes >= $0.0 } ?? (1, "B")
        return "\(significant(bytes / factor)) \(unit)"
      }
    }
  }
}

extension ComparisonReport.Row {
  /// The cells that hold numbers, in the order of the table.
  public var figures: [String] {
    [
      accuracy?.text(2), bestAccuracy?.text(2), loss?.text(4), steps?.text(0), seconds?.text(1),
      samplesPerSecond?.text(0), waiting?.text(0), gradientBytesPerStep?.text(0), sentBytesPerStep?.text(0),
    ].map { $0 ?? "–" }
      + (target.map {
        ["\($0.reached) of \(seeds.count)", $0.seconds?.text(1) ?? "–", $0.gradientBytes?.text(0) ?? "–"]
      }
        ?? [])
  }
}

extension ComparedRun {
  fileprivate var stateName: String {
    switch state {
    case .waiting: curve.steps.isEmpty ? "waiting" : "begun"
    case .finished: "finished"
    case .failed: "failed"
    }
  }

  fileprivate var stateText: String {
    switch state {
    case .waiting: curve.steps.last.map { "begun, step \(grouped($0.step))." } ?? "not begun."
    case .finished: "finished."
    case .failed(let failure): "failed (\(failure.code)): \(failure.sentence)"
    }
  }
}
