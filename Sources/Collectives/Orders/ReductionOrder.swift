import Determinism

/// With which parentheses the contributions of the shards to an element are added.
///
/// It fixes the bits of a sum and says nothing about who adds where: any number of ranks, any strategy of the order and any
/// transport reproduce it.
public enum ReductionOrder: Hashable, Sendable {
  /// A bucket has S chunks; chunk c adds shards c+1, c+2, …, S−1, 0, …, c, one after another.
  ///
  /// The order of the ring all-reduce (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
  /// workstations", J. Parallel Distrib. Comput. 69, 2009): a chunk starts on the rank after its owner and goes round.
  case ring
  /// Neighbours are added in pairs, pairs of neighbouring pairs, and so on. S is cut into the greatest power of two and the
  /// rest, which is cut likewise; the rest's sum is added to that of the power of two.
  ///
  /// The order of recursive doubling, of recursive halving and doubling, and of binary blocks (Thakur, Rabenseifner and
  /// Gropp, "Optimization of collective communication operations in MPICH", Int. J. High Perform. Comput. Appl. 19, 2005).
  case tree
  /// The shards in rows of about `columns`; a bucket has a chunk for each cell. Chunk (y, x) adds each row as a ring that ends
  /// in column x, then the rows as a ring that ends in row y.
  ///
  /// The order of the two-dimensional torus and of hierarchies of rings (Mikami et al., "Massively distributed SGD:
  /// ImageNet/ResNet-50 training in a flash", 2018; Jia et al., "Highly scalable deep learning training system with
  /// mixed-precision", 2018).
  case grid(columns: Int)
  /// Two binary trees over all shards in ascending order, each for half of the bucket: an inner shard adds what is left of it,
  /// itself, and what is right of it. The second tree is the first one mirrored or, for odd S, shifted by one, so that the
  /// leaves of one are inner in the other.
  ///
  /// Sanders, Speck and Träff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan", Parallel Comput. 35,
  /// 2009.
  case doubleTree

  /// Elements of a bucket that are added alike.
  public struct Chunk: Hashable, Sendable {
    public let elements: Range<Int>
    public let sum: SumExpression
  }

  /// The chunks of a bucket, from its first element to its last. Those without elements are left out.
  public func chunks(of elements: Int, shards: Int) -> [Chunk] {
    let sums: [SumExpression] =
      switch self {
      case .ring: (0..<shards).map { ring(0..<shards, endingAt: $0) }
      case .tree: [tree(0..<shards)]
      case .grid(let columns): Grid(shards: shards, columns: columns).cells.map(gridSum)
      case .doubleTree:
        [false, true].map { second in
          BinaryTree(shards: shards, second: second).root.map(inOrder) ?? .shard(0)
        }
      }
    return sums.enumerated().compactMap { index, sum in
      let range = part(index, of: sums.count, in: elements)
      return range.isEmpty ? nil : Chunk(elements: range, sum: sum)
    }
  }

  /// The sum in this order, written plainly: the specification of everything that reduces.
  ///
  /// - Parameter contributions: one array for each shard, all of one length.
  public func reduceReference(_ contributions: [[Float]]) -> [Float] {
    var result = contributions[0]
    for chunk in chunks(of: result.count, shards: contributions.count) {
      for element in chunk.elements { result[element] = chunk.sum.evaluate { contributions[$0][element] } }
    }
    return result
  }

  // MARK: sums

  /// The shards after one of them, round to that one.
  private func ring(_ shards: Range<Int>, endingAt last: Int) -> SumExpression {
    SumExpression(leftToRight: (1...shards.count).map { .shard(shards.lowerBound + (last + $0) % shards.count) })
  }

  private func tree(_ shards: Range<Int>) -> SumExpression {
    if shards.count == 1 { return .shard(shards.lowerBound) }
    let middle = shards.lowerBound + treeSplit(shards.count)
    return tree(shards.lowerBound..<middle) + tree(middle..<shards.upperBound)
  }

  private func gridSum(_ cell: Grid.Cell) -> SumExpression {
    let rows = cell.grid.rows
    return SumExpression(
      leftToRight: (1...rows.count).map { step in
        let row = rows[(cell.row + step) % rows.count]
        return ring(row, endingAt: cell.column % row.count)
      })
  }

  private func inOrder(_ node: BinaryTree.Node) -> SumExpression {
    SumExpression(leftToRight: [node.left.map(inOrder), .shard(node.shard), node.right.map(inOrder)].compactMap { $0 })
  }
}

/// How many of several shards the left half of their tree has: the greatest power of two below their number, or half of a
/// power of two.
func treeSplit(_ count: Int) -> Int {
  var half = 1
  while 2 * half < count { half *= 2 }
  return half
}
