import Determinism

/// Whom a shard gossips with: a function of the seed, the method, the shard and the number of its own step, so that peers do not
/// depend on timing although what they have to say does.
package struct PeerChoice {
  private let stream: RandomStream
  private let shard: Int
  private let shards: Int

  package init(seed: UInt64, method: String, shard: Int, of shards: Int) {
    stream = RandomStream(seed: seed, purpose: "peers/" + method)
    (self.shard, self.shards) = (shard, shards)
  }

  /// One of the other shards, each as likely as the next; nil where there is none.
  package func peer(at step: Int) -> Int? {
    guard shards > 1 else { return nil }
    let other = Int(
      stream.integer(
        below: UInt32(shards - 1), 0, sample: UInt32(shard), step: UInt32(truncatingIfNeeded: step)))
    return other < shard ? other : other + 1
  }

  /// Whether a shard pushes after a step.
  package func pushes(at step: Int, probability: Double) -> Bool {
    Double(stream.uniform(1, sample: UInt32(shard), step: UInt32(truncatingIfNeeded: step))) < probability
  }
}
