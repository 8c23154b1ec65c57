import Collectives
import MPI

/// Times the sum of a buffer over all shards, by several algorithms side by side and for buffers of many sizes.
///
///     for each size:
///       until its time is over, at least twice:
///         for each contender, beginning with another one each time:
///           four times: write new contributions, wait for all ranks, time the sum, check it
///
/// So noise of the machine meets all contenders alike, and none can keep anything but its memory's place in the caches from one
/// time to the next. Contenders are the
/// algorithms over messages; each *order* over the memory of the node, because on one node all strategies of an order are the
/// same work, once with the sum left there, where every rank of the node reads it, and once with a copy of it for each rank;
/// `native`; and a copy between two buffers of the rank.
public struct AllReduceBenchmark: Sendable {
  /// Nil for as many as ranks.
  public var shards: Int?
  public var algorithms = Self.usualAlgorithms
  /// Bytes of the buffers, each a multiple of 4.
  public var sizes: [Int]
  /// About how long a size is measured, with all that goes with it.
  public var secondsPerSize = 3.0

  /// For each order of `ring` and trees what it is there for, and what they stand against.
  public static let usualAlgorithms: [AllReduceAlgorithm] = [.ring, .halvingDoubling, .recursiveDoubling, .native]

  /// Beyond these, sums of the contributions would not be exact, and could not be checked.
  public static let mostShards = ChangingValues.mostShards

  public init(sizes: [Int]) { self.sizes = sizes }

  /// Sizes from 4 bytes, each four times the one before, up to a largest; 25 MiB and 100 MiB among them, about the gradients
  /// of a MobileNet and a ResNet-50.
  public static func sizes(upTo largest: Int) -> [Int] {
    let powers = sequence(first: 4) { 4 * $0 }.prefix { $0 <= largest }
    return (powers + [25 << 20, 100 << 20].filter { $0 <= largest }).sorted()
  }

  /// One line of the table.
  public struct Row: Sendable, Hashable {
    public var bytes: Int
    public var algorithm: String
    public var transport: String
    public var ranks: Int
    public var shards: Int
    /// Of the slowest rank in each repetition.
    public var leastMicroseconds: Double
    public var medianMicroseconds: Double
    public var percentile99Microseconds: Double
    /// 2(p − 1)/p · bytes ÷ the median time, in 10⁹ bytes a second: what each rank must send at least, so that the
    /// figures of different p can be compared; 0 for one rank.
    public var busBandwidth: Double
    /// Bytes ÷ the median time in which all ranks at once copy disjoint buffers of that size, in 10⁹ bytes a second.
    public var copyBandwidth: Double
    /// The median time of `native` ÷ that of this; nil where that was not measured.
    public var timesNative: Double?
  }

  /// Collective. Equal rows on all ranks.
  ///
  /// - Parameters:
  ///   - note: called with a sentence for each size that is left out, or measured with less than was asked for.
  ///   - observe: called for each row as soon as its size is measured.
  /// - Throws: 71 where a sum is wrong.
  public func run(_ world: Communicator, note: (String) -> Void, observe: (Row) throws -> Void) throws {
    let resources = try Resources(world: world, shards: shards, threadsPerShard: 1)
    for size in sizes {
      let bench = try AllReduceBench(world, resources.placement, algorithms, bytes: size)
      if let lack = try bench.lackOfMemory() {
        note("\(grouped(size)) B left out: \(lack).")
        continue
      }
      if let obstacle = try bench.setUp() {
        note("\(grouped(size)) B without shared memory: \(obstacle).")
      }
      let times = try bench.measure(seconds: secondsPerSize)
      try bench.tearDown()
      let native = zip(bench.contenders, times).first { $0.0.transport == AllReduceBench.native }?.1.median
      let copy = zip(bench.contenders, times).first { $0.0.transport == AllReduceBench.copy }?.1.median ?? .infinity
      let ranks = Double(world.size)
      for (contender, times) in zip(bench.contenders, times) where contender.transport != AllReduceBench.copy {
        try observe(
          Row(
            bytes: size, algorithm: contender.algorithm, transport: contender.transport, ranks: world.size,
            shards: resources.shards, leastMicroseconds: times.least * 1e6,
            medianMicroseconds: times.median * 1e6, percentile99Microseconds: times.percentile99 * 1e6,
            busBandwidth: 2 * (ranks - 1) / ranks * Double(size) / times.median / 1e9,
            copyBandwidth: Double(size) / copy / 1e9, timesNative: native.map { $0 / times.median }))
      }
    }
  }
}
