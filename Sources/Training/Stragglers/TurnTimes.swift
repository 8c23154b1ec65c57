/// How long each of a rank's turns took, the latest ones: a turn is a step, or a ticket of an asynchronous method.
struct TurnTimes {
  private let limit: Int
  private var work: [Float] = []
  private var exchange: [Float] = []
  /// Turns that have ended, also those that are not kept.
  private(set) var count = 0
  /// What belongs to turns that have ended.
  private var booked = (work: UInt64(0), exchange: UInt64(0))

  /// - Parameter ranks: whose times come together at the end, 32 MiB of them at most.
  init(ranks: Int) { limit = max(1, min(4096, (4 << 20) / max(ranks, 1))) }

  /// Ends a turn, which has all that was booked since the one before. Without any work there was none.
  mutating func end(_ times: StepTimes) {
    let (work, exchange) = (times.work - booked.work, times.exchange - booked.exchange)
    booked = (times.work, times.exchange)
    guard work > 0 else { return }
    if count < limit {
      self.work.append(0)
      self.exchange.append(0)
    }
    self.work[count % limit] = Float(work) / 1e9
    self.exchange[count % limit] = Float(exchange) / 1e9
    count += 1
  }

  /// Forgets the turns that have ended: others are to come.
  mutating func forget() { (work, exchange, count) = ([], [], 0) }

  /// From now on times are booked anew.
  mutating func restart() { booked = (0, 0) }

  /// Seconds of the turns that are kept, from the oldest on: of work, then as many of exchanges.
  var numbers: [Float] {
    let oldest = count > limit ? count % limit : 0
    return [work, exchange].flatMap { $0[oldest...] + $0[..<oldest] }
  }
}
