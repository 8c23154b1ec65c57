/// What a run has spent since it began, over all its starts.
public struct RunTotals: Codable, Sendable, Hashable {
  /// Of training: steps alone, without evaluation and saving. Rank 0's.
  public var seconds = 0.0
  public var samples = 0
  /// That rank 0 has sent for gradients; none where the ranks share memory.
  public var sentBytes = 0
  /// What the busiest rank would have sent for gradients with every shard on a host of its own
  /// (`GradientReducer.modelledBytes`): what methods are compared by, whatever hosts they ran on.
  public var gradientBytes = 0

  public init() {}

  /// Nil before the first step.
  public var samplesPerSecond: Double? { seconds > 0 ? Double(samples) / seconds : nil }
}
