import Foundation
import MPI

/// What one rank did, a line with the time for each event, in `logs/rank-0003.log` of the run's directory.
///
/// Every rank writes its own, because the screen shows rank 0's times only. A rank that cannot write it, as on a host
/// that does not see the directory, goes on without: nothing of the run depends on it.
final class RankLog {
  private let descriptor: Int32
  private let clock: ISO8601DateFormatter

  /// - Parameter directory: the run's.
  init?(_ directory: String, rank: Int) {
    descriptor = open(
      "\(directory)/logs/rank-\(zeroPadded(rank, 4)).log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return nil }
    clock = ISO8601DateFormatter()
    clock.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
  }

  deinit { close(descriptor) }

  func write(_ text: String) {
    let line = Array("\(clock.string(from: Date()))  \(text)\n".utf8)
    // One write a line, so that a reader never sees half of one.
    _ = Glibc.write(descriptor, line, line.count)
  }

  func write(_ event: TrainingEvent) {
    switch event {
    case .started: write("training")
    case .step(let report): write(report.line)
    case .evaluated(let report): write(report.line)
    case .saved(let report): write(report.line)
    case .gradients(let report): write("gradients of step \(report.step) recorded")
    case .asynchronous(let report): write(report.line)
    case .finished(let summary): write("done  \(grouped(summary.steps)) steps · state \(summary.stateDigest)")
    }
  }
}
