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

  /// Several schedules that share a bucket: each takes a part of it.
  public struct Lane: Hashable, Sendable {
    private enum Cut: Hashable, Sendable {
      case part(Int, of: Int)
      case within(Range<Int>)
    }
    private let cut: Cut

    /// A part of every route, so that lanes are alike in what they send.
    public init(_ index: Int, of count: Int) { cut = .part(index, of: count) }

    /// Some elements of the bucket, whatever their routes.
    public init(within elements: Range<Int>) { cut = .within(elements) }

    /// All of the work.
    public static let whole = Lane(0, of: 1)

    func part(of range: Range<Int>) -> Range<Int> {
      switch cut {
      case .part(let index, let count): return lineParts(index, of: count, in: range)
      case .within(let elements): return range.clamped(to: elements)
      }
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

/// Part `index` of `count` of a range, cut at every 16th element, so that the ranks of a node do not write the same cache lines.
func lineParts(_ index: Int, of count: Int, in range: Range<Int>) -> Range<Int> {
  func bound(_ index: Int) -> Int {
    if index == 0 { return range.lowerBound }
    if index == count { return range.upperBound }
    let even = range.lowerBound + index * range.count / count
    return min(max((even + 8) / 16 * 16, range.lowerBound), range.upperBound)
  }
  return bound(index)..<bound(index + 1)
}
