/// A training step of many ranks in virtual time: forward, backward, all-reduce in buckets, update.
///
/// Buckets are reduced one after another. With overlap a bucket begins on a rank when its gradients are there; without, when
/// the whole backward pass is done. Reducing does not slow computing down.
public struct StepSimulation: Sendable {
  public struct Bucket: Hashable, Sendable {
    public var elements: Int
    /// Seconds from the start of the step to when a usual rank has the bucket's gradients.
    public var ready: Double

    public init(elements: Int, ready: Double) { (self.elements, self.ready) = (elements, ready) }
  }

  /// In the order of reducing.
  public var buckets: [Bucket]
  /// Seconds of the forward and the backward pass on a usual rank.
  public var compute: Double
  /// Seconds of the update.
  public var update: Double
  public var overlaps: Bool

  public init(buckets: [Bucket], compute: Double, update: Double, overlaps: Bool) {
    (self.buckets, self.compute, self.update, self.overlaps) = (buckets, compute, update, overlaps)
  }

  public struct Result: Hashable, Sendable {
    /// From when all ranks begin to when the last has updated.
    public var seconds: Double
    /// Of one rank alone: nothing is reduced, nobody is slow.
    public var alone: Double
    /// Of reducing that the slowest rank's computation does not hide.
    public var exposed: Double
    /// Sent by the rank that sent the most.
    public var mostBytesOfARank: Int
    /// How much of its work a rank does in the time of the step, with a batch per rank that does not depend on their number:
    /// `alone` ÷ `seconds`.
    public var efficiency: Double { alone / seconds }
  }

  /// - Parameters:
  ///   - simulation: a slow rank computes, adds and updates slowly.
  ///   - rounds: of the all-reduce of so many elements.
  public func run(_ simulation: Simulation, rounds: (_ elements: Int) throws -> any RoundSequence) rethrows -> Result {
    var clock = Array(repeating: 0.0, count: simulation.ranks)
    var bytes = 0
    if simulation.ranks > 1 {
      for bucket in buckets {
        let ready = overlaps ? bucket.ready : compute
        let start = clock.indices.map { max(clock[$0], ready * simulation.slowness[$0]) }
        let result = simulation.run(try rounds(bucket.elements), start: start)
        clock = result.finish
        bytes += result.mostBytesOfARank
      }
    }
    let slowest = simulation.slowness.max() ?? 1
    let reduced = clock.indices.map { max(clock[$0], compute * simulation.slowness[$0]) }
    let seconds = zip(reduced, simulation.slowness).map { $0 + update * $1 }.max() ?? 0
    return Result(
      seconds: seconds, alone: compute + update, exposed: max(0, (reduced.max() ?? 0) - compute * slowest),
      mostBytesOfARank: bytes)
  }
}
