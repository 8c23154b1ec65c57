import Collectives
import Testing

@Suite struct OrderTests {
  private func text(_ sum: SumExpression) -> String {
    var parts: [String] = []
    for term in sum.terms {
      switch term {
      case .shard(let shard): parts.append("\(shard)")
      case .plus:
        let right = parts.removeLast()
        parts.append("(\(parts.removeLast())+\(right))")
      }
    }
    return parts[0]
  }

  private func sums(_ order: ReductionOrder, shards: Int) -> [String] {
    order.chunks(of: 840, shards: shards).map { text($0.sum) }
  }

  @Test func ringsGoRoundFromTheNextShard() {
    #expect(sums(.ring, shards: 1) == ["0"])
    #expect(sums(.ring, shards: 3) == ["((1+2)+0)", "((2+0)+1)", "((0+1)+2)"])
  }

  @Test func treesPairNeighbours() {
    #expect(sums(.tree, shards: 4) == ["((0+1)+(2+3))"])
    #expect(sums(.tree, shards: 5) == ["(((0+1)+(2+3))+4)"])
    #expect(sums(.tree, shards: 7) == ["(((0+1)+(2+3))+((4+5)+6))"])
  }

  @Test func gridsAddRowsThenColumns() {
    #expect(
      sums(.grid(columns: 2), shards: 4) == ["((3+2)+(1+0))", "((2+3)+(0+1))", "((1+0)+(3+2))", "((0+1)+(2+3))"])
    // Rows of two and three.
    #expect(sums(.grid(columns: 3), shards: 5)[0] == "(((3+4)+2)+(1+0))")
    #expect(sums(.grid(columns: 1), shards: 3) == sums(.ring, shards: 3))
    #expect(sums(.grid(columns: 3), shards: 3) == sums(.ring, shards: 3))
  }

  @Test func treesOfHalvesAreInOrder() {
    #expect(sums(.doubleTree, shards: 3) == ["((0+1)+2)", "((1+2)+0)"])
    #expect(sums(.doubleTree, shards: 4) == ["(((0+1)+2)+3)", "(((3+2)+1)+0)"])
  }

  @Test func chunksCoverABucket() {
    for order in [ReductionOrder.ring, .tree, .grid(columns: 3), .doubleTree] {
      for shards in 1...12 {
        for elements in [0, 1, 5, 37] {
          let chunks = order.chunks(of: elements, shards: shards)
          #expect(chunks.flatMap { Array($0.elements) } == Array(0..<elements))
          for chunk in chunks {
            let terms = chunk.sum.terms.compactMap { if case .shard(let shard) = $0 { shard } else { nil } }
            #expect(terms.sorted() == Array(0..<shards))
          }
        }
      }
    }
  }

  @Test func additionsAreCarriedOutAsWritten() {
    // Each chunk has one element. In float32, 1 is lost when it is added to ±2²⁵: chunk 0 is ((2²⁵ + 1) − 2²⁵) + 1.
    let big: Float = 0x1p25
    let rows: [[Float]] = [[1, 1, 1, 1], [big, big, big, big], [1, 1, 1, 1], [-big, -big, -big, -big]]
    #expect(ReductionOrder.ring.reduceReference(rows) == [1, 0, 1, 0])
    #expect(ReductionOrder.tree.reduceReference(rows) == [0, 0, 0, 0])
  }
}
