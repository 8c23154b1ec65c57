import Determinism

/// Who sends, receives and adds what in which round to all-reduce one bucket: a pure function of (strategy, elements,
/// placement).
///
/// Each rank has one gradient buffer for each shard it hosts, which is only read (its *contributions*), and buffers of its own:
/// number 0, the *result*, in which the finished sum arrives, and such as partial sums pass through. All have `elements`
/// elements, and all ranges count from the start of the bucket. The first half (reduce-scatter) leaves each finished element
/// with at least one rank; the second (all-gather) only copies.
public struct Schedule: Hashable, Sendable {
  public let strategy: Strategy
  public let elements: Int
  public let placement: Placement
  /// Which of several equal parts of the bucket's work this schedule does.
  public let lane: Lane

  /// Several schedules that share a bucket: each takes its part of every route.
  public struct Lane: Hashable, Sendable {
    public var index: Int
    public var count: Int
    public init(_ index: Int, of count: Int) { (self.index, self.count) = (index, count) }

    /// All of the work.
    public static let whole = Lane(0, of: 1)

    /// Cut at every 16th element, so that the ranks of a node do not write the same cache lines.
    func part(of range: Range<Int>) -> Range<Int> { bound(index, range)..<bound(index + 1, range) }

    private func bound(_ index: Int, _ range: Range<Int>) -> Int {
      if index == 0 { return range.lowerBound }
      if index == count { return range.upperBound }
      let even = range.lowerBound + index * range.count / count
      return min(max((even + 8) / 16 * 16, range.lowerBound), range.upperBound)
    }
  }

  public init(_ strategy: Strategy, elements: Int, placement: Placement, lane: Lane = .whole) {
    precondition(elements >= 0, "\(elements) elements")
    self.strategy = strategy
    self.elements = elements
    self.placement = placement
    self.lane = lane
  }

  /// What one rank does.
  ///
  /// Cost: of the order of S² for the strategies with S chunks.
  public func program(of rank: Int) -> RankProgram { programs(of: [rank])[0] }

  /// What all ranks do.
  public func programs() -> [RankProgram] { programs(of: Array(0..<placement.ranks)) }

  private func programs(of ranks: [Int]) -> [RankProgram] {
    var builders = ranks.map { ProgramBuilder(rank: $0, pipeline: strategy.pipeline) }
    strategy.forEachRoute(elements: elements, placement: placement) { route in
      let own = lane.part(of: route.elements)
      if own.isEmpty { return }
      let flow = Flow(route, placement: placement)
      for index in builders.indices { builders[index].add(flow, elements: own, segment: route.segment) }
    }
    return builders.map { $0.program() }
  }
}
