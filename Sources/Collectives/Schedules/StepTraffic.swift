extension GradientReducer {
  /// Bytes that the busiest rank sends for one sum of all buckets, were every shard on a rank of its own and every rank on a host
  /// of its own. Shared memory sends nothing and a rank may host several shards, so `traffic` does not compare methods; this does.
  public var modelledBytes: Int {
    Schedule.busiestRankBytes(zip(buckets, strategies).map { ($0.count, $1) }, shards: placement.shards)
  }
}

extension Schedule {
  /// Bytes that the busiest of as many ranks as shards sends for the sums of some buckets, counted from their rounds.
  ///
  /// What the MPI library does where there is no strategy is not known: it counts as a ring, which sends the least.
  ///
  /// Cost: of the order of S² for each size of bucket, with a small constant.
  public static func busiestRankBytes(_ buckets: [(elements: Int, strategy: Strategy?)], shards: Int) -> Int {
    if shards == 1 { return 0 }
    var sent = Array(repeating: 0, count: shards)
    let kinds = Dictionary(grouping: buckets.map { Kind(elements: $0, strategy: $1 ?? .ring(segments: 1)) }) { $0 }
    for (kind, equal) in kinds {
      let rounds =
        kind.strategy.compactRounds(ranks: shards, elements: kind.elements)
        ?? Schedule.rounds(kind.strategy, ranks: shards, elements: kind.elements, programsUpTo: shards)
      guard let rounds else { preconditionFailure("no rounds of \(kind)") }
      var round = SimulatedRound()
      for index in 0..<rounds.rounds {
        round.removeAll()
        rounds.fill(index, into: &round)
        for transfer in round.transfers { sent[transfer.source] += 4 * transfer.elements * equal.count }
      }
    }
    return sent.max() ?? 0
  }

  /// What a bucket's schedule follows from.
  private struct Kind: Hashable {
    var elements: Int
    var strategy: Strategy
  }
}
