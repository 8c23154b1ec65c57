extension StragglerReport {
  static let fileName = "stragglers.md"

  /// As "rank 1 is the slowest, 70.1 ms of work a step where the rank in the middle has 10.2 ms".
  private var slowestText: String {
    "rank \(slowest) is the slowest, \(text(ranks[slowest].workSeconds)) of work a step where the rank in the middle has "
      + text(middleSeconds)
  }

  /// As "42% of the ranks' time was waiting, 97% of that for rank 1".
  private var waitingText: String {
    guard let shareForSlowest else { return "nobody waits for another" }
    return
      "\(percent(shareOfWaiting)) of the ranks' time was waiting, \(percent(shareForSlowest)) of that for rank \(slowest)"
  }

  private func text(_ seconds: Double) -> String { "\(decimal(1000 * seconds, 1)) ms" }

  /// For the screen.
  package var lines: [String] {
    let width = methods.map(\.name.count).max() ?? 0
    let rates = methods.map { grouped(Int($0.samplesPerSecond)) }
    let rateWidth = rates.map(\.count).max() ?? 0
    return ["stragglers: \(slowestText)", "            \(waitingText)"]
      + zip(methods, rates).map { method, rate in
        "  \(padded(method.name, width))  \(leading(rate, rateWidth)) img/s  \(leading(decimal(method.gain, 2), 5))×"
          + method.remarks.map { "  \($0)" }.joined()
      }
  }

  /// The file that a run's directory gets.
  package var markdown: String {
    var lines = [
      "# Stragglers", "",
      "Of \(count(steps, "step")): \(slowestText); \(waitingText). An exchange takes \(text(exchangeSeconds)).", "",
      "| rank | work of a step | waiting |", "|--:|--:|--:|",
    ]
    lines += ranks.enumerated().map {
      "| \($0.offset) | \(text($0.element.workSeconds)) | \(percent($0.element.shareOfWaiting)) |"
    }
    lines += [
      "",
      "What each method would have made of the same computing times, with an exchange as long as in this run, and servers (where "
        + "it has any) beside these ranks that keep up:", "",
      "| method | img/s | over synchronous | |", "|---|--:|--:|---|",
    ]
    lines += methods.map {
      "| \($0.name) | \(grouped(Int($0.samplesPerSecond))) | \(decimal($0.gain, 2))× | \($0.remarks.joined(separator: ", ")) |"
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension StragglerReport.Method {
  fileprivate var remarks: [String] {
    (shareDropped > 0 ? ["\(percent(shareDropped)) dropped"] : [])
      + (measured.map { ["measured \(grouped(Int($0)))"] } ?? [])
  }
}
