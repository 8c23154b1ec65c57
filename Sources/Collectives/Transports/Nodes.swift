import MPI

/// The ranks of a job by the nodes that they run on: groups that can share memory.
public struct Nodes {
  /// The ranks of this rank's node.
  public let node: Communicator
  /// The ranks of each node, in the order of their first ranks.
  public let ranks: [[Int]]
  /// This rank's node.
  public let index: Int
  /// Ranks with the same place in their nodes, one of each node, for as many places as every node has; nil for a rank beyond.
  public let lane: Communicator?

  /// Collective.
  public init(_ world: Communicator) throws {
    node = try world.splitByNode()
    let leader = try node.broadcast([world.rank])
    let leaders = try world.allGather(leader)
    let firsts = Set(leaders).sorted()
    ranks = firsts.map { first in leaders.indices.filter { leaders[$0] == first } }
    index = firsts.firstIndex(of: leader[0]) ?? 0
    let lanes = ranks.map(\.count).min() ?? 1
    lane = try world.split(color: node.rank < lanes ? node.rank : nil)
  }

  public var count: Int { ranks.count }
  /// Ranks of every node that take part in what travels between nodes.
  public var lanes: Int { ranks.map(\.count).min() ?? 1 }

  /// The shards of each node; nil where the ranks of a node do not follow one another.
  public func placement(_ placement: Placement) -> Placement? {
    guard ranks.allSatisfy({ $0[$0.count - 1] - $0[0] == $0.count - 1 }) else { return nil }
    return Placement(
      blocks: ranks.map { ranks in
        placement.shards(of: ranks[0]).lowerBound..<placement.shards(of: ranks[ranks.count - 1]).upperBound
      })
  }
}

extension Communicator {
  /// The root's elements on every rank. Collective.
  fileprivate func broadcast(_ elements: [Int], root: Int = 0) throws -> [Int] {
    var elements = elements
    try broadcast(&elements, root: root)
    return elements
  }
}
