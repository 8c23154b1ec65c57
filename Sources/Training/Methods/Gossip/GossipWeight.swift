/// The weights of GoSGD, in whole units: the same everywhere at the start, halved where a shard pushes, added where one arrives.
///
/// Shards have at most 2²⁴ units together, up to which a float counts without rounding. So their sum is the same for ever, to the
/// bit, however often weights are shared. The weight of the paper is a shard's part of all units.
package enum GossipWeight {
  static let slot = ShardSlot(name: "weight", isNumber: true)

  /// Of each shard at the start.
  package static func start(shards: Int) -> Float {
    var units = 1
    while 2 * units * shards <= 1 << 24 { units *= 2 }
    return Float(units)
  }

  /// What a shard sends of its units, the smaller half; none where it has a single one.
  package static func half(of units: Float) -> Float { (units / 2).rounded(.down) }

  /// Of what arrives in the weighted mean, and the units that the receiver has then.
  package static func mixing(_ own: Float, with arriving: Float) -> (share: Float, sum: Float) {
    (arriving / (own + arriving), own + arriving)
  }
}
