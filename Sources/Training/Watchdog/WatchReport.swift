/// What the watchdog says.
package struct WatchReport: Sendable {
  /// Layers by the number of an instruction, and the parameters of each bucket.
  package struct Names: Sendable {
    package var layers: [String] = []
    package var buckets: [String] = []
    package init() {}
  }

  package var names = Names()
  /// The directory of the run; empty where there is none.
  package var directory = ""

  package init(names: Names = Names(), directory: String = "") { (self.names, self.directory) = (names, directory) }

  /// "rank 2 (node1, process 4711)".
  private func name(_ seen: JobWatch.Seen) -> String {
    "rank \(seen.status.rank) (\(seen.host), process \(seen.status.process))"
  }

  /// What a rank does, with layer or bucket.
  package func text(_ status: RankStatus) -> String {
    switch status.operation {
    case .computing where names.layers.indices.contains(status.detail):
      return "computing \(names.layers[status.detail])"
    case .summing where names.buckets.indices.contains(status.detail):
      return "waiting in the sum of bucket \(status.detail) (\(names.buckets[status.detail]))"
    case .readingData where !status.file.isEmpty: return "reading \(status.file)"
    default: return status.operation.text
    }
  }

  private func place(_ seen: JobWatch.Seen) -> String {
    "in step \(grouped(seen.status.step + 1)), \(text(seen.status))"
  }

  private func list(_ ranks: [JobWatch.Seen]) -> String {
    (ranks.count == 1 ? "rank " : "ranks ") + ranks.map { String($0.status.rank) }.joined(separator: ", ")
  }

  package func hang(_ hang: JobWatch.Hang, at now: Double) -> String {
    let step = (hang.waiting + hang.missing).map(\.status.step).max() ?? 0
    var text = "step \(grouped(step + 1)): no rank has done anything for \(duration(hang.seconds)). "
    if hang.missing.isEmpty {
      text +=
        "All ranks are \(hang.waiting.first.map { self.text($0.status) } ?? "waiting"): the network between them, or MPI, "
      text += "does not deliver. "
    } else {
      text += hang.missing.prefix(4).map { seen in
        let since = duration(now - seen.changed)
        if seen.isOutOfStep { return "\(capitalised(name(seen))) is out of step: \(place(seen)), for \(since). " }
        if seen.isSilent { return "Nothing is heard of \(name(seen)), which was last \(self.text(seen.status)). " }
        let how = seen.status.life == .stopped ? "is stopped" : "does not go on"
        return "\(capitalised(name(seen))) \(how), \(self.text(seen.status)) for \(since). "
      }.joined()
      if hang.missing.count > 4 { text += "So it is with \(hang.missing.count - 4) more. " }
      if let first = hang.waiting.first {
        let what = hang.missing.contains(where: \.isOutOfStep) ? place(first) : self.text(first.status)
        text += "\(capitalised(list(hang.waiting))) \(hang.waiting.count == 1 ? "is" : "are") \(what). "
      }
    }
    return text + remedy
  }

  package func death(_ dead: [JobWatch.Seen]) -> String {
    dead.map { seen in
      let signal =
        seen.status.signal > 0 ? "by signal \(seen.status.signal)" : "by signal 9, or by another that cannot be caught,"
      return
        "\(capitalised(name(seen))) was ended \(signal) in step \(grouped(seen.status.step + 1)), \(text(seen.status)). "
    }.joined() + remedy
  }

  private var remedy: String {
    directory.isEmpty
      ? "The job is ended."
      : "The job is ended; the same command with --run-dir \(directory) goes on from the last checkpoint."
  }
}
