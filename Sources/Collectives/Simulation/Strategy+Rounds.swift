extension Strategy {
  /// All rounds of an all-reduce in a form that takes little memory, for as many shards as ranks; nil where there is none
  /// (rows of a grid that differ in length).
  ///
  /// Messages and additions are those of the schedule's programs (`CompactRoundsTests`). In a hierarchy, and in halving and
  /// doubling where the number of ranks is no power of two, some sums are made right after a round that the programs
  /// make while the next messages are under way.
  public func compactRounds(ranks: Int, elements: Int) -> (any RoundSequence)? {
    switch self {
    case .ring(let segments): RingRounds(ranks: ranks, elements: elements, segments: segments)
    case .halvingDoubling: HalvingRounds(ranks: ranks, elements: elements)
    case .recursiveDoubling: DoublingRounds(ranks: ranks, elements: elements)
    case .torus(let columns), .hierarchical(let columns):
      ranks % columns == 0
        ? GridRounds(ranks: ranks, elements: elements, columns: columns, isHierarchical: isHierarchical) : nil
    case .doubleTree(let segments): TreeRounds(ranks: ranks, elements: elements, segments: segments)
    }
  }

  private var isHierarchical: Bool {
    if case .hierarchical = self { true } else { false }
  }
}

extension Schedule {
  /// All rounds of an all-reduce with a shard a rank: of the programs themselves for few ranks, else in the compact form; nil
  /// where that is missing.
  ///
  /// - Parameter programsUpTo: so many ranks have their programs made, which costs time of the order of their square and more.
  public static func rounds(
    _ strategy: Strategy, ranks: Int, elements: Int, programsUpTo most: Int = 64
  ) -> (any RoundSequence)? {
    if ranks <= most {
      return ProgramRounds(Schedule(strategy, elements: elements, placement: Placement(shards: ranks, ranks: ranks)))
    }
    return strategy.compactRounds(ranks: ranks, elements: elements)
  }
}
