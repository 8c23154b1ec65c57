import Determinism
import MPI

/// Adds a rank's own shards in ascending order and leaves the rest to `MPI_Allreduce`.
///
/// The library chooses the order over ranks, so the sum's bits may depend on their number.
struct NativeReduction {
  private let communicator: Communicator
  private let table: OperandTable
  private let sum: CompiledSum
  let owned: [Range<Int>]

  init(_ communicator: Communicator, elements: Int, table: OperandTable) {
    self.communicator = communicator
    self.table = table
    let shards = SumExpression(leftToRight: table.hosted.map(SumExpression.shard))
    sum = CompiledSum(
      LocalSum(elements: 0..<elements, terms: shards.terms.map(LocalSum.Term.init), buffer: 0), hosted: table.hosted)
    owned = [part(communicator.rank, of: communicator.size, in: elements)]
  }

  /// Leaves all elements finished.
  func run() throws {
    let result = UnsafeMutableBufferPointer(start: table.buffer(0), count: sum.elements.count)
    let first = table.contribution(ofShard: table.hosted.lowerBound)
    // One contribution needs no sum of the rank's own, unless it lies where the result goes.
    if table.hosted.count == 1, first != UnsafePointer(table.buffer(0)) {
      try communicator.allReduce(UnsafeBufferPointer(start: first, count: sum.elements.count), into: result, .sum)
    } else {
      table.execute(sum)
      try communicator.allReduce(result, .sum)
    }
  }
}

extension LocalSum.Term {
  fileprivate init(_ term: SumExpression.Term) {
    switch term {
    case .shard(let shard): self = .operand(.contribution(shard: shard))
    case .plus: self = .plus
    }
  }
}
