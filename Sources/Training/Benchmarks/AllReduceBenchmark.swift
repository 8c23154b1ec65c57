import Collectives
import Engine
import Foundation
import MPI

/// Times the sum of a buffer over all shards, by every algorithm and for buffers of many sizes.
public struct AllReduceBenchmark: Sendable {
  /// Nil for as many as ranks.
  public var shards: Int?
  public var algorithms = AllReduceAlgorithm.allCases
  /// Bytes of the buffers, each a multiple of 4.
  public var sizes: [Int]
  /// About how long an algorithm and a size are measured.
  public var seconds = 0.3

  public init(sizes: [Int]) { self.sizes = sizes }

  /// Sizes from 4 bytes, each four times the one before, up to a largest.
  public static func sizes(upTo largest: Int) -> [Int] {
    Array(sequence(first: 4) { $0 < largest / 4 + 1 && 4 * $0 <= largest ? 4 * $0 : nil })
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
  }

  /// Collective. Equal rows on all ranks.
  ///
  /// - Parameter observe: called for each row as soon as it is measured.
  public func run(_ world: Communicator, _ observe: (Row) throws -> Void) throws {
    let resources = try Resources(world: world, shards: shards, threadsPerShard: 1)
    let hosted = resources.placement.shards(of: world.rank)
    for size in sizes {
      let count = size / MemoryLayout<Float>.stride
      let result = try FloatBuffer(count: count, skew: 1088)
      let contributions = try hosted.map { shard in
        let buffer = try FloatBuffer(count: count, skew: 2176 + 1088 * (shard % 2))
        buffer.values.update(repeating: Float(shard + 1))
        return buffer
      }
      // A small buffer several times, because the clock is too coarse for one.
      let copies = max(1, (1 << 16) / size)
      let source = UnsafePointer(contributions[0].pointer)
      let copy = try measure(world) {
        for _ in 0..<copies { result.pointer.update(from: source, count: count) }
      }
      for algorithm in algorithms {
        for memory in try memories(for: algorithm, world, resources.placement, count) {
          let own = memory.map { memory in
            for (shard, buffer) in zip(hosted, contributions) {
              memory.vector(ofShard: shard).update(from: buffer.pointer, count: count)
            }
            return hosted.map { UnsafePointer(memory.vector(ofShard: $0)) }
          }
          let sum = memory?.commonVector(0) ?? result.pointer
          let reducer = try GradientReducer(
            communicator: world, placement: resources.placement, buckets: [0..<count], algorithm: algorithm,
            contributions: own ?? contributions.map { UnsafePointer($0.pointer) }, result: sum, memory: memory)
          let times = try measure(world) { try reducer.reduce(bucket: 0) }
          // Whole numbers, so the sum is exact in any order.
          let expected = Float(resources.shards * (resources.shards + 1) / 2)
          try world.agree {
            guard UnsafeBufferPointer(start: sum, count: count).allSatisfy({ $0 == expected }) else {
              throw TrainingError(
                .rankFailed, "\(algorithm.rawValue) gives a wrong sum of \(size) bytes on rank \(world.rank).")
            }
          }
          try memory?.free()
          let ranks = Double(world.size)
          try observe(
            Row(
              bytes: size, algorithm: algorithm.rawValue,
              transport: algorithm == .native ? "mpi" : memory == nil ? "messages" : "shared-memory",
              ranks: world.size, shards: resources.shards, leastMicroseconds: times.least * 1e6,
              medianMicroseconds: times.median * 1e6, percentile99Microseconds: times.percentile99 * 1e6,
              busBandwidth: 2 * (ranks - 1) / ranks * Double(size) / times.median / 1e9,
              copyBandwidth: Double(copies * size) / copy.median / 1e9))
        }
      }
    }
  }

  /// What an algorithm is measured over: messages (nil), and the node's memory where the ranks can share it. Collective.
  private func memories(
    for algorithm: AllReduceAlgorithm, _ world: Communicator, _ placement: Placement, _ count: Int
  ) throws -> [SharedVectors?] {
    let common = SharedVectors.Common(vectors: 1, flags: GradientReducer.flags(buckets: 1))
    guard algorithm.isReproducible, world.size > 1,
      try SharedVectors.obstacle(on: world, placement: placement, count: count, common: common) == nil
    else { return [nil] }
    return [nil, try SharedVectors(on: world, placement: placement, count: count, common: common)]
  }

  /// Seconds of the slowest rank, over as many repetitions as fit the time, but 5 at least. Collective.
  private func measure(_ world: Communicator, _ body: () throws -> Void) throws -> Statistics {
    func once() throws -> Double {
      try world.barrier()
      let begin = MPILibrary.seconds
      try body()
      return MPILibrary.seconds - begin
    }
    // The first touches memory and sets connections up.
    _ = try once()
    let trial = try world.allReduce(max(try once(), 1e-6), .maximum)
    var times = try (0..<min(max(5, Int(seconds / trial)), 2_000)).map { _ in try once() }
    try world.allReduce(&times, .maximum)
    return Statistics(times)
  }
}
