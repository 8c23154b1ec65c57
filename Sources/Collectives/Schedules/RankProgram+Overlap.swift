extension RankProgram {
  /// Puts off sums until the next round's messages are under way, where those do not need them.
  mutating func addWhileMessagesAreUnderWay() {
    for index in reduceScatter.indices {
      let waiting = index == 0 ? start : reduceScatter[index - 1].sums
      let round = reduceScatter[index]
      var stays = waiting.map { round.touches($0) }
      // Sums of the same elements keep their sequence.
      var changed = true
      while changed {
        changed = false
        for later in waiting.indices where stays[later] {
          for earlier in waiting.indices.prefix(upTo: later)
          where !stays[earlier] && waiting[earlier].elements.overlaps(waiting[later].elements) {
            stays[earlier] = true
            changed = true
          }
        }
      }
      let now = zip(waiting, stays).filter(\.1).map(\.0)
      if index == 0 { start = now } else { reduceScatter[index - 1].sums = now }
      reduceScatter[index].meanwhile = zip(waiting, stays).filter { !$0.1 }.map(\.0)
    }
  }
}

extension Round {
  /// Whether a message writes what a sum reads or writes, or reads what it writes.
  func touches(_ sum: LocalSum) -> Bool {
    let written = sends.contains { $0.operand == .buffer(sum.buffer) && $0.elements.overlaps(sum.elements) }
    return written
      || receives.contains { receive in
        receive.elements.overlaps(sum.elements)
          && (receive.buffer == sum.buffer || sum.terms.contains(.operand(.buffer(receive.buffer))))
      }
  }
}
