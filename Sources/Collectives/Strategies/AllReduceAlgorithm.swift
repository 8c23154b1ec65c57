/// How gradients are summed over all shards; the values of `--all-reduce`.
///
/// All but `native` fix the order of the sum, and with it the trained bits, by the number of shards alone. Ranks of a node sum
/// in its memory, in that order; a strategy says what travels between nodes, or between ranks where nothing is shared.
public enum AllReduceAlgorithm: String, Sendable, CaseIterable {
  case ring
  /// A ring whose chunks travel in segments.
  case segmentedRing = "segmented-ring"
  case halvingDoubling = "halving-doubling"
  case recursiveDoubling = "recursive-doubling"
  case hierarchical
  case torus
  case doubleTree = "double-tree"
  /// Recursive doubling for short buckets, halving and doubling for middle ones, else a ring, by constants.
  case auto
  /// The library's `MPI_Allreduce`, for comparison: gives up that the bits do not depend on the number of ranks.
  case native

  /// The strategy for a bucket: a pure function, so that all runs of a recipe have the same order; nil where the MPI library
  /// chooses.
  ///
  /// - Parameter shardsPerGroup: of a row of `hierarchical` and `torus`; nil for the greatest divisor of S up to √S.
  public func strategy(elements: Int, shards: Int, shardsPerGroup: Int? = nil) -> Strategy? {
    let columns = min(shardsPerGroup ?? Self.usualGroup(shards), shards)
    switch self {
    case .ring: return .ring(segments: 1)
    case .segmentedRing: return .ring(segments: Self.segments(elements / shards, atMost: 16))
    case .halvingDoubling: return .halvingDoubling
    case .recursiveDoubling: return .recursiveDoubling
    case .hierarchical: return .hierarchical(columns: columns)
    case .torus: return .torus(columns: columns)
    case .doubleTree: return .doubleTree(segments: Self.segments(elements / 2, atMost: 32))
    case .auto:
      // docs/collectives.md has the measurement.
      let bytes = 4 * elements
      return bytes <= 16 << 10 ? .recursiveDoubling : bytes <= 512 << 10 ? .halvingDoubling : .ring(segments: 1)
    case .native: return nil
    }
  }

  /// Segments of about 64 KiB.
  private static func segments(_ elements: Int, atMost most: Int) -> Int { min(max(elements >> 14, 1), most) }

  private static func usualGroup(_ shards: Int) -> Int {
    (1...shards).last { $0 * $0 <= shards && shards % $0 == 0 } ?? 1
  }

  /// Flat vectors that a rank needs at most for partial sums, beside the result, where messages are sent. With as many ranks as
  /// shards, and those a power of two, it is one at most.
  public var mostScratchVectors: Int {
    switch self {
    case .ring, .segmentedRing, .native: 0
    case .hierarchical, .doubleTree: 1
    case .torus: 2
    case .halvingDoubling: 3
    case .recursiveDoubling: 5
    // Only its short buckets need any.
    case .auto: 5
    }
  }

  /// Whether the bits of a run depend on the number of shards alone.
  public var isReproducible: Bool { self != .native }

  /// What the user gives up by choosing it; nil for algorithms that keep the numerics contract.
  public var caveat: String? {
    isReproducible
      ? nil
      : "--all-reduce native lets the MPI library choose the order of sums: "
        + "trained bits may depend on the number of ranks and on the library."
  }
}
