import Determinism

/// Which samples make up each global batch of each epoch, and which of them each shard takes.
///
/// Global batch t of an epoch is entries `t·B ..< min((t+1)·B, N)` of the epoch's order; shard s of S takes part s of
/// it. So every sample is seen exactly once an epoch for any N, B and S; the last batch may be smaller, and a shard's
/// part may be empty.
public struct EpochPlan: Sendable, Hashable {
  /// N, the samples of an epoch.
  public let sampleCount: Int
  /// B, the samples of a global batch.
  public let globalBatchSize: Int
  public let seed: UInt64
  /// Whether epochs are permuted; otherwise each is in the order of the file.
  public let shuffles: Bool
  /// Whether an incomplete last batch is left out.
  public let dropsLast: Bool

  public init(sampleCount: Int, globalBatchSize: Int, seed: UInt64, shuffles: Bool = true, dropsLast: Bool = false) {
    precondition(sampleCount >= 0 && globalBatchSize >= 1, "\(sampleCount) samples in batches of \(globalBatchSize)")
    self.sampleCount = sampleCount
    self.globalBatchSize = globalBatchSize
    self.seed = seed
    self.shuffles = shuffles
    self.dropsLast = dropsLast
  }

  /// Global batches of an epoch: ⌈N/B⌉, or ⌊N/B⌋ where the last is dropped; 0 if nothing is left.
  public var stepsPerEpoch: Int {
    let (whole, rest) = sampleCount.quotientAndRemainder(dividingBy: globalBatchSize)
    return whole + (rest > 0 && !dropsLast ? 1 : 0)
  }

  /// The positions in an epoch's order that make up global batch `step`.
  public func positions(step: Int) -> Range<Int> {
    precondition(step >= 0 && step < stepsPerEpoch, "step \(step) of an epoch of \(stepsPerEpoch)")
    let first = step * globalBatchSize
    return first..<min(first + globalBatchSize, sampleCount)
  }

  /// The positions in an epoch's order that shard `shard` of `shardCount` takes of global batch `step`.
  public func positions(step: Int, shard: Int, of shardCount: Int) -> Range<Int> {
    let batch = positions(step: step)
    let own = part(shard, of: shardCount, in: batch.count)
    return batch.lowerBound + own.lowerBound..<batch.lowerBound + own.upperBound
  }

  /// The order of an epoch.
  public func order(epoch: Int) -> EpochOrder {
    EpochOrder(shuffles ? .permuted(KeyedPermutation(count: sampleCount, seed: seed, epoch: epoch)) : .identity)
  }

  /// Indices of the samples that a shard takes of a global batch; for printing and tests. A loop over many batches of
  /// an epoch keeps the epoch's `order(epoch:)`.
  public func samples(epoch: Int, step: Int, shard: Int, of shardCount: Int) -> [Int] {
    var samples: [Int] = []
    order(epoch: epoch).map(positions(step: step, shard: shard, of: shardCount), into: &samples)
    return samples
  }

  /// The different numbers of samples that a shard is given in a step, largest first: at most four, two each for whole
  /// batches and for the last one of an epoch. 0 is among them where some shard is ever without a sample.
  public func shardBatchSizes(of shardCount: Int) -> [Int] {
    var sizes = Set<Int>()
    for step in Set([0, stepsPerEpoch - 1]) where step >= 0 && stepsPerEpoch > 0 {
      let batch = positions(step: step).count
      sizes.insert(batch / shardCount)
      if batch % shardCount != 0 { sizes.insert(batch / shardCount + 1) }
    }
    return sizes.sorted(by: >)
  }

  /// Epoch and step within it of the global step `globalStep`, counted from the start of the run.
  public func position(globalStep: Int) -> (epoch: Int, step: Int) {
    precondition(stepsPerEpoch > 0, "an epoch of no step")
    let (epoch, step) = globalStep.quotientAndRemainder(dividingBy: stepsPerEpoch)
    return (epoch, step)
  }
}

/// The order of one epoch: which sample stands at each position.
public struct EpochOrder: Sendable {
  enum Kind: Sendable {
    case identity
    case permuted(KeyedPermutation)
  }

  private let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  /// The index of the sample at a position.
  public subscript(position: Int) -> Int {
    switch kind {
    case .identity: position
    case .permuted(let permutation): permutation[position]
    }
  }

  /// Replaces `samples` by the indices at `positions`, in order; its memory is kept.
  public func map(_ positions: Range<Int>, into samples: inout [Int]) {
    switch kind {
    case .identity:
      samples.removeAll(keepingCapacity: true)
      samples.append(contentsOf: positions)
    case .permuted(let permutation): permutation.map(positions, into: &samples)
    }
  }
}
