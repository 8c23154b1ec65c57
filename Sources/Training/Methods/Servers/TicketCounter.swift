/// Counts out the tickets of a segment: what the first server does for all workers, or a coordinator that does nothing else.
struct TicketCounter {
  let segment: Segment
  /// Whether every worker takes its own part of each step, so that steps are counted in place of tickets.
  private let goesByStep: Bool
  private var next = 0
  /// The ticket before which to end.
  private var end: Int

  init(_ segment: Segment, goesByStep: Bool) {
    (self.segment, self.goesByStep, end) = (segment, goesByStep, segment.tickets)
  }

  /// Global steps that are taken.
  var steps: Int { next / segment.shards }

  /// Nil where there is none left.
  mutating func take(worker: Int) -> Int? {
    guard next < end else { return nil }
    if goesByStep { return next + worker }
    next += 1
    return next - 1
  }

  /// Whether a global step is the one at hand, where steps are counted.
  func isAtHand(step: Int) -> Bool { next < end && step == segment.step(of: next) }

  /// Where steps are counted: on to the next.
  mutating func endStep() { next += segment.shards }

  /// The batch at hand is the last.
  mutating func endSoon() {
    // Where servers wait for a step to end, it is the next ticket's; else that of the last ticket given.
    let begun = goesByStep ? next / segment.shards + 1 : (next + segment.shards - 1) / segment.shards
    end = min(end, max(1, begun) * segment.shards)
  }
}
