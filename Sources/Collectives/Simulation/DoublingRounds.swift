/// The rounds of recursive doubling, for as many shards as ranks: every exchange is of all elements.
///
/// Where the number of ranks is no power of two, the greatest one below it and the rest, which is cut likewise, give each
/// other their sums; the fewer ranks of the rest send to several each.
public struct DoublingRounds: RoundSequence {
  public let ranks: Int
  public let elements: Int
  private let list: [SimulatedRound]
  public var rounds: Int { list.count }

  public init(ranks: Int, elements: Int) {
    (self.ranks, self.elements) = (ranks, elements)
    var list: [SimulatedRound] = []
    var hops = Array(repeating: 0, count: ranks)
    if elements > 0 { Self.join(0..<ranks, elements, &hops, &list) }
    for index in list.indices {
      list[index].transfers.sort { ($0.source, $0.destination) < ($1.source, $1.destination) }
    }
    self.list = list
  }

  public func fill(_ round: Int, into value: inout SimulatedRound) { value = list[round] }

  /// - Parameter hops: from which round on each rank can send the sum of its block.
  private static func join(_ block: Range<Int>, _ elements: Int, _ hops: inout [Int], _ list: inout [SimulatedRound]) {
    if block.count == 1 { return }
    let left = block.lowerBound..<block.lowerBound + treeSplit(block.count)
    let right = left.upperBound..<block.upperBound
    join(left, elements, &hops, &list)
    join(right, elements, &hops, &list)
    let before = hops
    for (own, other) in [(left, right), (right, left)] {
      for (index, rank) in own.enumerated() {
        let source = other.lowerBound + index % other.count
        let hop = before[source]
        while list.count <= hop { list.append(SimulatedRound()) }
        list[hop].send(source, rank, elements)
        hops[rank] = max(before[rank], hop + 1)
        list[hops[rank] - 1].add(rank, elements)
      }
    }
  }
}
