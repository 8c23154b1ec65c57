import Foundation
import TestSupport
import Testing
import Training

/// What `events.jsonl` says of a run, be it under way; a last half line is left out.
struct RunEvents {
  /// Steps that were reported, and evaluations, over all starts.
  private(set) var stepCount = 0
  private(set) var evaluationCount = 0
  private(set) var lastStep = 0
  private(set) var losses: [Int: Double] = [:]
  /// Steps that were done twice, after a restart, with different losses.
  private(set) var contradictions: [Int] = []
  /// Those that were said to be there, in that order.
  private(set) var checkpoints: [(step: Int, path: String)] = []
  /// Whether the last event is the end of an epoch that is not yet evaluated.
  private(set) var isEvaluating = false

  /// - Parameter run: the directory, which may not be there yet.
  init(_ run: URL, stepsPerEpoch: Int = 121) throws {
    let path = run.appendingPathComponent("events.jsonl").path
    let log = EventLog(contents(ofFile: path) ?? Data())
    try #require(log.damagedLines.isEmpty, "\(path): lines \(log.damagedLines)")
    for event in log.events {
      isEvaluating = false
      switch event {
      case .step(let report):
        let (step, loss) = (report.step, report.loss)
        if let before = losses[step], before != loss { contradictions.append(step) }
        losses[step] = loss
        lastStep = step
        stepCount += 1
        isEvaluating = step % stepsPerEpoch == 0
      case .evaluated: evaluationCount += 1
      case .saved(let step, let path): checkpoints.append((step, path))
      default: break
      }
    }
  }
}
