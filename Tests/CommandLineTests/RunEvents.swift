import Foundation
import TestSupport
import Testing

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
    guard let data = contents(ofFile: run.appendingPathComponent("events.jsonl").path),
      let end = data.lastIndex(of: UInt8(ascii: "\n"))
    else { return }
    for line in data[...end].split(separator: UInt8(ascii: "\n")) {
      let event = try #require(
        try JSONSerialization.jsonObject(with: line) as? [String: Any], "\(String(decoding: line, as: UTF8.self))")
      isEvaluating = false
      switch event["event"] as? String {
      case "step":
        let step = try #require(event["step"] as? Int)
        let loss = try #require(event["loss"] as? Double)
        if let before = losses[step], before != loss { contradictions.append(step) }
        losses[step] = loss
        lastStep = step
        stepCount += 1
        isEvaluating = step % stepsPerEpoch == 0
      case "evaluated": evaluationCount += 1
      case "checkpoint":
        checkpoints.append((try #require(event["step"] as? Int), try #require(event["path"] as? String)))
      default: break
      }
    }
  }
}
