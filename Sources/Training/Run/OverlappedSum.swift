import Collectives
import Dispatch
import Engine

/// Sums buckets of gradients, and updates their parameters, while the backward pass computes the later ones.
///
/// The thread that trains has nothing else to do then: the workers compute.
final class OverlappedSum {
  private let reducer: GradientReducer
  /// When something was under way last after nothing was; nil where nothing is.
  private var start: UInt64?
  private var hidden: UInt64 = 0

  /// - Parameter executor: told of the buckets.
  init(_ reducer: GradientReducer, _ executor: Executor) {
    self.reducer = reducer
    executor.announce(parts: reducer.buckets)
  }

  /// - Parameter use: called with the number of buckets that are summed, from the first on.
  func companion(_ use: @escaping (_ finished: Int) -> Void) -> Executor.Companion {
    Executor.Companion(
      isFree: { [unowned self] _ in
        start = start ?? DispatchTime.now().uptimeNanoseconds
        try reducer.beginNext()
      },
      advance: { [unowned self] in
        let isUnderWay = try reducer.advance()
        if !isUnderWay { stop() }
        use(reducer.finishedBuckets)
        return isUnderWay
      })
  }

  private func stop() {
    if let start { hidden += DispatchTime.now().uptimeNanoseconds - start }
    start = nil
  }

  /// Nanoseconds of the gradients' computation in which sums were under way; the next step's start at 0.
  func takeHidden() -> UInt64 {
    stop()
    defer { hidden = 0 }
    return hidden
  }
}
