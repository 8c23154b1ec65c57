import Collectives
import Engine
import MPI

/// All that sums a buffer of one size, over the same contributions in turn.
final class AllReduceBench {
  /// One that is timed.
  struct Contender {
    let algorithm: String
    let transport: String
    /// Of the shards that this rank hosts.
    let contributions: [UnsafeMutablePointer<Float>]
    let results: [GradientReducer.Sum]
    /// How often `run` does it, because the clock is too coarse for once.
    var times = 1
    /// Whether the result is the sum over all shards.
    var isSum = true
    let run: () throws -> Void
  }

  static let native = "mpi"
  static let messages = "messages"
  static let sharedMemory = "shared-memory"
  /// Each rank copies the sum from there to a vector of its own.
  static let copiedFromSharedMemory = "shared-memory-copied"
  static let copy = "copy"

  private(set) var contenders: [Contender] = []
  private let world: Communicator
  private let node: Communicator
  private let placement: Placement
  private let algorithms: [AllReduceAlgorithm]
  private let elements: Int
  private let values: ChangingValues
  private let common = SharedVectors.Common(vectors: 0, flags: GradientReducer.flags(buckets: 1))
  private var buffers: [FloatBuffer] = []
  private var memory: SharedVectors?

  /// Collective.
  init(_ world: Communicator, _ placement: Placement, _ algorithms: [AllReduceAlgorithm], bytes: Int) throws {
    (self.world, self.placement, self.algorithms) = (world, placement, algorithms)
    node = try world.splitByNode()
    elements = bytes / MemoryLayout<Float>.stride
    values = ChangingValues(shards: placement.shards)
  }

  private var hosted: Range<Int> { placement.shards(of: world.rank) }

  // MARK: memory

  /// What is missing on the node that lacks most, if something is: vectors of the ranks' own, of partial sums, and of the node.
  /// Collective.
  func lackOfMemory() throws -> String? {
    let partial = algorithms.map { algorithm in
      guard let strategy = algorithm.strategy(elements: elements, shards: placement.shards) else { return 0 }
      return Schedule(strategy, elements: elements, placement: placement).program(of: world.rank).buffers - 1
    }
    let own = hosted.count + 1 + partial.reduce(0, +)
    let sum = node.rank == 0 && node.size < world.size ? 1 : 0
    let shared = world.size > 1 ? hosted.count + sum : 0
    let need = try node.allReduce((own + shared) * elements * MemoryLayout<Float>.stride, .sum)
    // A tenth stays for everything else.
    let free = try node.allReduce(NodeMemory.available() / 10 * 9, .minimum)
    let lack = try world.allReduce(need - free, .maximum)
    if lack <= 0 { return nil }
    func mebibytes(_ bytes: Int) throws -> String {
      "\(grouped(try world.allReduce(need - free == lack ? bytes : 0, .maximum) >> 20)) MiB"
    }
    return "a node needs \(try mebibytes(need)) for it and can give \(try mebibytes(free))"
  }

  /// Takes the memory and makes the contenders; says why the node's memory is not among them, if it should be. Collective.
  func setUp() throws -> String? {
    let result = try FloatBuffer(count: elements, skew: 1088)
    let contributions = try hosted.map { try FloatBuffer(count: elements, skew: 2176 + 1088 * ($0 % 2)) }
    buffers = [result] + contributions
    let pointers = contributions.map(\.pointer)
    for algorithm in algorithms {
      try add(algorithm, algorithm == .native ? Self.native : Self.messages, pointers, result.pointer, nil)
    }
    let obstacle = try addSharedMemory(result.pointer)
    // Small buffers several times.
    let times = max(1, (1 << 12) / elements)
    let (source, length) = (UnsafePointer(pointers[0]), elements)
    contenders.append(
      Contender(
        algorithm: Self.copy, transport: Self.copy, contributions: [pointers[0]],
        results: [.init(elements: 0..<elements, vector: UnsafePointer(result.pointer))], times: times, isSum: false
      ) {
        for _ in 0..<times { result.pointer.update(from: source, count: length) }
      })
    return obstacle
  }

  private func addSharedMemory(_ result: UnsafeMutablePointer<Float>) throws -> String? {
    let reproducible = algorithms.filter(\.isReproducible)
    if world.size == 1 || reproducible.isEmpty { return nil }
    let obstacle = try SharedVectors.obstacle(on: world, placement: placement, count: elements, common: common)
    if let obstacle { return obstacle }
    let memory = try SharedVectors(on: world, placement: placement, count: elements, common: common)
    self.memory = memory
    var known: Set<ReductionOrder> = []
    for algorithm in reproducible {
      let order = algorithm.strategy(elements: elements, shards: placement.shards)?.order
      if memory.nodes.count == 1, let order, !known.insert(order).inserted { continue }
      let vectors = hosted.map(memory.vector)
      try add(algorithm, Self.sharedMemory, vectors, nil, memory)
      try add(algorithm, Self.copiedFromSharedMemory, vectors, result, memory)
    }
    return nil
  }

  private func add(
    _ algorithm: AllReduceAlgorithm, _ transport: String, _ contributions: [UnsafeMutablePointer<Float>],
    _ result: UnsafeMutablePointer<Float>?, _ memory: SharedVectors?
  ) throws {
    let reducer = try GradientReducer(
      communicator: world, placement: placement, buckets: [0..<elements], algorithm: algorithm,
      contributions: contributions.map { UnsafePointer($0) }, result: result, memory: memory)
    contenders.append(
      Contender(
        algorithm: algorithm.rawValue, transport: transport, contributions: contributions,
        results: reducer.sums(bucket: 0)
      ) { try reducer.reduce(bucket: 0) })
  }

  /// Gives the node's memory back. Collective.
  func tearDown() throws { try memory?.free() }

  // MARK: time

  /// Of each contender, for once and by the slowest rank of each repetition. Collective.
  func measure(seconds: Double) throws -> [Statistics] {
    var turn = 0
    // The first touches memory and sets connections up.
    _ = try round(&turn)
    let begin = MPILibrary.seconds
    _ = try round(&turn)
    let trial = try world.allReduce(max(MPILibrary.seconds - begin, 1e-6), .maximum)
    let rounds = try (0..<min(max(2, Int(seconds / trial)), 2_000)).map { _ in try round(&turn) }
    return try contenders.indices.map { index in
      var own = rounds.flatMap { $0[index] }
      try world.allReduce(&own, .maximum)
      return Statistics(own)
    }
  }

  /// How often a contender runs in a row, as in steps that follow each other. More than once, so that what others left in the
  /// caches is not all that is measured; few times, so that noise of the machine meets all alike.
  private static let timesInARow = 4

  /// Each contender some times in a row, beginning with another one each round; the seconds of each. Collective.
  private func round(_ turn: inout Int) throws -> [[Double]] {
    var seconds = [[Double]](repeating: [], count: contenders.count)
    var wrong: Int?
    for step in 0..<contenders.count * Self.timesInARow {
      let index = (turn + step / Self.timesInARow) % contenders.count
      let contender = contenders[index]
      let salt = turn * contenders.count * Self.timesInARow + step
      for (place, vector) in contender.contributions.enumerated() {
        values.write(to: vector, count: elements, shard: hosted.lowerBound + place, salt: salt)
      }
      try world.barrier()
      let begin = MPILibrary.seconds
      try contender.run()
      seconds[index].append((MPILibrary.seconds - begin) / Double(contender.times))
      let sum = contender.isSum ? 0..<placement.shards : hosted.prefix(1)
      for result in contender.results
      where !values.areSums(result.vector, elements: result.elements, shards: sum, salt: salt) {
        wrong = index
      }
      // All have looked before anyone writes.
      try world.barrier()
    }
    turn += 1
    try world.agree {
      guard let wrong else { return }
      let contender = contenders[wrong]
      throw TrainingError(
        .rankFailed,
        "\(contender.algorithm) (\(contender.transport)) gives a wrong sum of \(4 * elements) bytes on rank \(world.rank)."
      )
    }
    return seconds
  }
}
