/// Contributions that are others each time, and whose sums are exact in any order: whole numbers.
///
/// Element i of shard s is ((i + salt) mod 256) · (1 + s mod 7).
package struct ChangingValues {
  /// So that sums stay below 2²⁴.
  package static let mostShards = 9_000

  private let shards: Int

  /// - Parameter shards: at most `mostShards`.
  package init(shards: Int) {
    precondition(shards <= Self.mostShards, "sums over \(shards) shards are not exact")
    self.shards = shards
  }

  package func write(to vector: UnsafeMutablePointer<Float>, count: Int, shard: Int, salt: Int) {
    let (first, factor) = (Int32(truncatingIfNeeded: salt), weight(shard))
    for index in 0..<count { vector[index] = Self.base(index, first) * factor }
  }

  /// Whether some elements are the sum over some shards.
  package func areSums(_ vector: UnsafePointer<Float>, elements: Range<Int>, shards: Range<Int>, salt: Int) -> Bool {
    let (first, factor) = (Int32(truncatingIfNeeded: salt), shards.reduce(0) { $0 + weight($1) })
    var wrong: Int32 = 0
    for index in elements { wrong |= vector[index] == Self.base(index, first) * factor ? 0 : 1 }
    return wrong == 0
  }

  private func weight(_ shard: Int) -> Float { Float(1 + shard % 7) }

  private static func base(_ index: Int, _ first: Int32) -> Float {
    Float((Int32(truncatingIfNeeded: index) &+ first) & 255)
  }
}
