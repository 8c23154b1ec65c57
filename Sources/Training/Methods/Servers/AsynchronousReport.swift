/// What workers and servers of an asynchronous method have done since the job began.
public struct AsynchronousReport: Sendable, Hashable {
  /// The global step up to which it is, from 1.
  public var step = 0
  /// Parts of global batches that each worker computed, by rank.
  public var tickets: [Int] = []
  /// What each server took: gradients, or parameters to meet; of gossip, what each worker took from others.
  public var pushes: [Int] = []
  /// Gradients that came too late.
  public var dropped = 0
  /// By staleness: how many pushes had it, over all who took them. It is the server's updates between a fetch and the push computed
  /// from it; of elastic averaging those of the center between two meetings of a worker; of gossip the global steps by which the
  /// sender was behind the receiver. Its sum is that of `pushes`.
  public var staleness: [Int] = []

  public init() {}

  public var meanStaleness: Double {
    let total = staleness.reduce(0, +)
    return total == 0 ? 0 : Double(staleness.enumerated().reduce(0) { $0 + $1.offset * $1.element }) / Double(total)
  }

  mutating func add(_ tallies: [SegmentTally], staleness found: [[Int]], _ ranks: ServerRanks) {
    func adding(_ values: ArraySlice<Int>, to totals: [Int]) -> [Int] {
      let totals = totals.isEmpty ? Array(repeating: 0, count: values.count) : totals
      return zip(totals, values).map { $0 + $1 }
    }
    tickets = adding(tallies.map(\.tickets)[..<ranks.workers], to: tickets)
    pushes = adding(tallies.map(\.pushes)[ranks.takers], to: pushes)
    dropped += tallies.reduce(0) { $0 + $1.dropped }
    for counts in found {
      while staleness.count < counts.count { staleness.append(0) }
      for (value, count) in counts.enumerated() { staleness[value] += count }
    }
  }

  /// As "staleness mean 2.10: 0 5% · 1 20% · …", in at most eight classes.
  package var stalenessText: String {
    let total = staleness.reduce(0, +)
    if total == 0 { return "nothing was exchanged" }
    let shown = 7
    var parts = staleness.prefix(shown).enumerated().map {
      "\($0.offset): \(percent(Double($0.element) / Double(total)))"
    }
    if staleness.count > shown {
      let rest = staleness.dropFirst(shown).reduce(0, +)
      parts.append("\(shown)–\(staleness.count - 1): \(percent(Double(rest) / Double(total)))")
    }
    return "staleness mean \(decimal(meanStaleness, 2)) · " + parts.joined(separator: " · ")
  }

  /// As "parts by worker 120, 118 · staleness …".
  package var line: String {
    "parts of batches by worker " + tickets.map(grouped).joined(separator: ", ")
      + (dropped > 0 ? " · \(grouped(dropped)) gradients came too late" : "") + " · " + stalenessText
  }
}
