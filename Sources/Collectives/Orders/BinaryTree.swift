/// One of the two binary trees over shards 0 ..< S whose nodes stand in ascending order.
struct BinaryTree {
  final class Node: Sendable {
    let shard: Int
    let left: Node?
    let right: Node?

    init(shard: Int, left: Node?, right: Node?) { (self.shard, self.left, self.right) = (shard, left, right) }
  }

  let root: Node?

  /// The second tree is the first one mirrored where S is even, else shifted by one with the last shard first.
  init(shards: Int, second: Bool) {
    root = Self.node(0..<shards) { position in
      !second ? position : shards % 2 == 0 ? shards - 1 - position : (position + 1) % shards
    }
  }

  /// The greatest power of two that fits, less one, is left of the root, so that every second position is a leaf.
  private static func node(_ positions: Range<Int>, _ shard: (Int) -> Int) -> Node? {
    if positions.isEmpty { return nil }
    var power = 1
    while 2 * power <= positions.count { power *= 2 }
    let root = positions.lowerBound + power - 1
    return Node(
      shard: shard(root), left: node(positions.lowerBound..<root, shard),
      right: node(root + 1..<positions.upperBound, shard))
  }
}
