import Determinism

/// Who makes which partial sums of an order, and in how many segments they travel.
///
/// A strategy is an order and the ranks at which its sums are made; the rest of a schedule follows from that (`Flow`).
public enum Strategy: Hashable, Sendable {
  /// Partial sums go round the shards: the least traffic, and p − 1 hops each way. With several segments a chunk travels in so
  /// many pieces, one of which is added while the next is under way.
  case ring(segments: Int)
  /// Halves are exchanged between neighbours, quarters between neighbouring pairs, and so on; where p is no power of two, in
  /// blocks that are, of which the smaller add theirs to the larger (binary blocks).
  case halvingDoubling
  /// Neighbours exchange everything, then neighbouring pairs, and so on: log₂ p hops in all, for short messages.
  case recursiveDoubling
  /// Rings along rows, then rings along columns.
  case torus(columns: Int)
  /// Rings within rows, whose first shards gather the rows' sums and make a ring.
  case hierarchical(columns: Int)
  /// Up two trees and down again, each for half of the bucket, in segments one behind the other.
  case doubleTree(segments: Int)

  public var order: ReductionOrder {
    switch self {
    case .ring: .ring
    case .halvingDoubling, .recursiveDoubling: .tree
    case .torus(let columns), .hierarchical(let columns): .grid(columns: columns)
    case .doubleTree: .doubleTree
    }
  }

  /// As `--all-reduce` names it.
  public var name: String {
    let algorithm: AllReduceAlgorithm =
      switch self {
      case .ring(let segments): segments == 1 ? .ring : .segmentedRing
      case .halvingDoubling: .halvingDoubling
      case .recursiveDoubling: .recursiveDoubling
      case .torus: .torus
      case .hierarchical: .hierarchical
      case .doubleTree: .doubleTree
      }
    return algorithm.rawValue
  }

  var pipeline: Pipeline {
    switch self {
    case .ring(let segments): .interleaved(segments: segments)
    default: .staggered
    }
  }

  /// Calls `body` with the ways of all elements of a bucket.
  func forEachRoute(elements: Int, placement: Placement, _ body: (Route) -> Void) {
    let shards = placement.shards
    switch self {
    case .ring(let segments):
      for chunk in 0..<shards {
        let range = part(chunk, of: shards, in: elements)
        cut(Route(elements: range, terms: ringTerms(0..<shards, endingAt: chunk)), into: segments, body)
      }
    case .halvingDoubling:
      let halving = Halving(placement)
      for piece in 0..<halving.pieces {
        body(Route(elements: part(piece, of: halving.pieces, in: elements), terms: halving.terms(piece: piece)))
      }
    case .recursiveDoubling:
      let sum = ReductionOrder.tree.chunks(of: 1, shards: shards)[0].sum
      body(Route(elements: 0..<elements, terms: sum.terms.map(Route.Term.init(everywhere:))))
    case .torus(let columns), .hierarchical(let columns):
      let cells = Grid(shards: shards, columns: columns).cells
      for (index, cell) in cells.enumerated() {
        body(Route(elements: part(index, of: cells.count, in: elements), terms: gridTerms(cell)))
      }
    case .doubleTree(let segments):
      for second in [false, true] {
        let range = part(second ? 1 : 0, of: 2, in: elements)
        let root = BinaryTree(shards: shards, second: second).root
        cut(Route(elements: range, terms: root.map(treeTerms) ?? []), into: segments, body)
      }
    }
  }

  private func cut(_ route: Route, into segments: Int, _ body: (Route) -> Void) {
    for segment in 0..<segments {
      var piece = route
      let range = part(segment, of: segments, in: route.elements.count)
      piece.elements = route.elements.lowerBound + range.lowerBound..<route.elements.lowerBound + range.upperBound
      piece.segment = segment
      body(piece)
    }
  }

  /// Each shard adds its own and passes the sum on.
  private func ringTerms(_ shards: Range<Int>, endingAt last: Int) -> [Route.Term] {
    var terms: [Route.Term] = []
    for step in 1...shards.count {
      let shard = shards.lowerBound + (last + step) % shards.count
      terms.append(.shard(shard))
      if step > 1 { terms.append(.plus(at: shard)) }
    }
    return terms
  }

  private func gridTerms(_ cell: Grid.Cell) -> [Route.Term] {
    let rows = cell.grid.rows
    var terms: [Route.Term] = []
    for step in 1...rows.count {
      let row = rows[(cell.row + step) % rows.count]
      let column = cell.column % row.count
      let host = isHierarchical ? row.lowerBound : row.lowerBound + column
      terms += ringTerms(row, endingAt: column)
      if isHierarchical { terms.append(.moved(to: host)) }
      if step > 1 { terms.append(.plus(at: host)) }
    }
    return terms
  }

  private var isHierarchical: Bool {
    if case .hierarchical = self { true } else { false }
  }

  private func treeTerms(_ node: BinaryTree.Node) -> [Route.Term] {
    var terms: [Route.Term] = []
    if let left = node.left { terms += treeTerms(left) }
    terms.append(.shard(node.shard))
    if node.left != nil { terms.append(.plus(at: node.shard)) }
    if let right = node.right { terms += treeTerms(right) + [.plus(at: node.shard)] }
    return terms
  }
}

extension Route.Term {
  fileprivate init(everywhere term: SumExpression.Term) {
    switch term {
    case .shard(let shard): self = .shard(shard)
    case .plus: self = .plusEverywhere
    }
  }
}
