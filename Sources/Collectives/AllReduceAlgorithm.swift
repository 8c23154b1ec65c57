/// How gradients are summed over all shards; the values of `--all-reduce`.
public enum AllReduceAlgorithm: String, Sendable, CaseIterable {
  /// The ring order, over messages: the same bits on any number of ranks.
  case ring
  /// The library's `MPI_Allreduce`, for comparison: gives up that the bits do not depend on the number of ranks.
  case native

  /// The order of the sum; nil where the MPI library chooses it.
  public var order: ReductionOrder? {
    switch self {
    case .ring: .ring
    case .native: nil
    }
  }

  /// What the user gives up by choosing it; nil for algorithms that keep the numerics contract.
  public var caveat: String? {
    switch self {
    case .ring: nil
    case .native:
      "--all-reduce native lets the MPI library choose the order of sums: "
        + "trained bits may depend on the number of ranks and on the library."
    }
  }
}
