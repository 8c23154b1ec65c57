import Collectives
import Dispatch
import Engine

/// Sums buckets of gradients, and updates their parameters, while the backward pass computes the later ones.
///
/// The thread that trains has nothing else to do then: the workers compute.
final class OverlappedSum {
  private let reducer: GradientReducer
  private var hidden = HiddenTime()

  /// - Parameter executor: told of the buckets.
  init(_ reducer: GradientReducer, _ executor: Executor) {
    self.reducer = reducer
    executor.announce(parts: reducer.buckets)
  }

  /// - Parameter use: called with the number of buckets that are summed, from the first on.
  func companion(_ use: @escaping (_ finished: Int) -> Void) -> Executor.Companion {
    Executor.Companion(
      isFree: { [unowned self] _ in
        hidden.start()
        try reducer.beginNext()
      },
      advance: { [unowned self] in
        let isUnderWay = try reducer.advance()
        if !isUnderWay { hidden.stop() }
        use(reducer.finishedBuckets)
        return isUnderWay
      })
  }

  /// Nanoseconds of the gradients' computation in which sums were under way; the next step's start at 0.
  func takeHidden() -> UInt64 { hidden.take() }
}

/// How long something is under way beside a computation.
struct HiddenTime {
  /// When something was under way last after nothing was; nil where nothing is.
  private var begin: UInt64?
  private var total: UInt64 = 0

  mutating func start() { begin = begin ?? DispatchTime.now().uptimeNanoseconds }

  mutating func stop() {
    if let begin { total += DispatchTime.now().uptimeNanoseconds - begin }
    begin = nil
  }

  /// Nanoseconds until now, where it ends; the next start at 0.
  mutating func take() -> UInt64 {
    stop()
    defer { total = 0 }
    return total
  }
}
