import Dispatch

/// The seconds that a rank has spent in steps, over all starts of a run, and how many it may.
struct TrainingClock: Sendable {
  /// Infinite for as many as it takes.
  var limit = Double.infinity
  private var before = 0.0
  /// When the step began that is under way.
  private var start: UInt64?

  /// - Parameter seconds: spent before this start of the run.
  init(spent seconds: Double = 0, limit: Double = .infinity) { (before, self.limit) = (seconds, limit) }

  mutating func beginStep() { start = DispatchTime.now().uptimeNanoseconds }

  mutating func endStep() { (before, start) = (seconds, nil) }

  var seconds: Double { before + (start.map { Double(DispatchTime.now().uptimeNanoseconds - $0) / 1e9 } ?? 0) }

  var isOver: Bool { limit < .infinity && seconds >= limit }
}
