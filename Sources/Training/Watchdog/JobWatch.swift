/// What the watchdog knows of all ranks, and what follows from it. Holds no clock and no connection.
package struct JobWatch: Sendable {
  /// What is wrong.
  package enum Verdict: Sendable {
    /// Processes that are gone.
    case death([Seen])
    case hang(Hang)
  }

  /// Nobody has done anything for too long.
  package struct Hang: Sendable {
    package let seconds: Double
    /// Ranks that wait for others in what most wait in.
    package let waiting: [Seen]
    /// Those that hold the job up, as far as can be told: the ones that do not wait, or wait in something else.
    package let missing: [Seen]
  }

  /// The last word of a rank.
  package struct Seen: Sendable {
    package var status: RankStatus
    package var host: String
    /// When it did something last, and when something was heard of it.
    package var changed: Double
    package var heard: Double
    /// Whether its node says nothing any more.
    package var isSilent = false

    /// Of one that holds the job up: whether it waits as the others do, but elsewhere.
    package var isOutOfStep: Bool { !isSilent && status.life == .running && status.operation.isWait }
  }

  /// Seconds without any sign of life after which it is a hang.
  package let limit: Double
  private(set) var ranks: [Int: Seen] = [:]

  package init(limit: Double) { self.limit = limit }

  package mutating func hear(_ status: RankStatus, host: String, at now: Double) {
    let before = ranks[status.rank]
    let hasChanged =
      before.map { $0.status.progress != status.progress || $0.status.detail != status.detail } ?? true
    ranks[status.rank] = Seen(
      status: status, host: host, changed: hasChanged ? now : before?.changed ?? now, heard: now)
  }

  /// Seconds from one word of a node to the next.
  package var interval: Double { min(1, limit / 4) }

  /// Without a word for so long a node is taken for lost: before the limit, so that a hang that it caused is known for what it is.
  private var patience: Double { max(3 * interval, limit / 2) }

  package func verdict(at now: Double) -> Verdict? {
    let all = ranks.sorted { $0.key < $1.key }.map { rank, seen in
      var seen = seen
      seen.isSilent = now - seen.heard > patience
      return seen
    }
    let dead = all.filter { $0.status.life == .dead }
    if !dead.isEmpty { return .death(dead) }
    let alive = all.filter { $0.status.life != .ended }
    guard let last = alive.map(\.changed).max(), now - last >= limit,
      !alive.contains(where: { $0.status.operation.mayTakeLong && !$0.isSilent && $0.status.life == .running })
    else { return nil }
    func cannotGoOn(_ seen: Seen) -> Bool { seen.isSilent || seen.status.life == .stopped }
    // What is stopped explains the rest, whatever that is at.
    let isExplained = alive.contains(where: cannotGoOn)
    // A host that stopped with the job may have spoken a moment later than anybody did anything: silence shows soon.
    if !isExplained, Set(alive.map(\.host)).count > 1, now - last < limit + 3 * interval { return nil }
    func isCulprit(_ seen: Seen) -> Bool { isExplained ? cannotGoOn(seen) : !seen.status.operation.isWait }
    var missing = alive.filter(isCulprit)
    var waiting = alive.filter { !isCulprit($0) }
    if missing.isEmpty {
      // All wait: those are out of step that wait in something else than most; of two, the one that is ahead.
      func place(_ seen: Seen) -> [Int] { [seen.status.step, seen.status.operation.rawValue, seen.status.detail] }
      var counts: [[Int]: Int] = [:]
      for seen in waiting { counts[place(seen), default: 0] += 1 }
      let most = counts.max {
        $0.value != $1.value ? $0.value < $1.value : $1.key.lexicographicallyPrecedes($0.key)
      }?.key
      missing = waiting.filter { place($0) != most }
      waiting = waiting.filter { place($0) == most }
    }
    return .hang(Hang(seconds: now - last, waiting: waiting, missing: missing))
  }

  /// The rank that did something longest ago, for a sign of life on the screen.
  package func slowest(at now: Double) -> Seen? {
    ranks.values.filter { !$0.status.operation.isWait }.min { $0.changed < $1.changed }
      ?? ranks.values.min { ($0.changed, $0.status.rank) < ($1.changed, $1.status.rank) }
  }
}
