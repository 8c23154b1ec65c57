/// When a link that several ranks share is busy.
///
/// Messages take the first gap that they fit into, so a link is never left idle for a message that is not there yet, and never
/// carries two at once.
struct LinkCalendar {
  private struct Interval {
    var start: Double
    var end: Double
  }

  /// Apart from one another, in ascending order.
  private var busy: [Interval] = []
  private(set) var busySeconds = 0.0

  /// Takes the link for so many seconds, at the earliest from a moment on; returns when they begin.
  mutating func reserve(from moment: Double, seconds: Double) -> Double {
    busySeconds += seconds
    // Most messages are later than all before.
    guard let last = busy.last, moment <= last.end else {
      busy.append(Interval(start: moment, end: moment + seconds))
      return moment
    }
    var index = busy.count
    while index > 0 && busy[index - 1].end >= moment { index -= 1 }
    var start = moment
    while index < busy.count {
      if start + seconds <= busy[index].start { break }
      start = max(start, busy[index].end)
      index += 1
    }
    insert(Interval(start: start, end: start + seconds), at: index)
    return start
  }

  /// Intervals that touch become one, so that there are few.
  private mutating func insert(_ interval: Interval, at index: Int) {
    let joinsBefore = index > 0 && busy[index - 1].end == interval.start
    let joinsAfter = index < busy.count && busy[index].start == interval.end
    switch (joinsBefore, joinsAfter) {
    case (true, true):
      busy[index - 1].end = busy[index].end
      busy.remove(at: index)
    case (true, false): busy[index - 1].end = interval.end
    case (false, true): busy[index].start = interval.start
    case (false, false): busy.insert(interval, at: index)
    }
  }

  /// Forgets what ended before a moment, which nothing asks for any more.
  mutating func forget(before moment: Double) {
    if let first = busy.first, first.end < moment { busy.removeAll { $0.end < moment } }
  }
}
