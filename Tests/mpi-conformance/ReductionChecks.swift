import Collectives
import Glibc
import MPI
import TestSupport

/// Every strategy between real ranks against its order's plain definition, and `native` to rounding.
func checkReduction(_ world: Communicator, _ checks: Checks) throws {
  let counts: Set = [world.size, world.size + 1, world.size + 2, 2 * world.size, 2 * world.size + 1, 7, 12, 17]
  for shards in counts.sorted() where shards >= world.size {
    let elements = [0, 1, shards - 1, shards, shards + 1, 31, 509, 997, 4099, 20_011]
    try checkReduction(world, shards: shards, bucketSizes: elements, AllReduceAlgorithm.allCases, checks)
  }
  for shards in [4, 7] where shards >= world.size {
    try checkReduction(
      world, shards: shards, bucketSizes: [1_000_003], [.ring, .segmentedRing, .halvingDoubling, .doubleTree], checks)
  }
}

private func checkReduction(
  _ world: Communicator, shards: Int, bucketSizes: [Int], _ algorithms: [AllReduceAlgorithm], _ checks: Checks
) throws {
  let example = try ReductionExample(world, shards: shards, bucketSizes: bucketSizes)
  for algorithm in algorithms {
    try example.check(algorithm, nil, into: example.result, checks)
    // Into memory of this rank's own, and left in the node's, whole or in slices.
    if algorithm.isReproducible, let memory = example.memory {
      try example.check(algorithm, memory, into: example.result, checks)
      try example.check(algorithm, memory, into: nil, checks)
      try example.check(algorithm, memory, into: nil, sliced: true, checks)
    }
  }
  try example.free()
}

/// Shared memory that nobody has any more is not kept, also where it was not freed.
func checkMemoryIsGivenBack(_ world: Communicator, _ checks: Checks) throws {
  let placement = Placement(shards: world.size, ranks: world.size)
  let common = SharedVectors.Common(vectors: 1)
  guard try SharedVectors.obstacle(on: world, placement: placement, count: 1000, common: common) == nil else { return }
  let before = sharedMappings()
  var memory: SharedVectors? = try SharedVectors(on: world, placement: placement, count: 1000, common: common)
  checks.expect(sharedMappings() > before && memory != nil, "shared memory is mapped")
  memory = nil
  checks.expectEqual(sharedMappings(), before, "mappings of shared memory")
}

/// How many parts of shared memory this process sees.
private func sharedMappings() -> Int {
  guard let file = fopen("/proc/self/maps", "r") else { return -1 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 4096)
  var count = 0
  while fgets(&line, Int32(line.count), file) != nil { if strstr(line, "/dev/shm/") != nil { count += 1 } }
  return count
}

/// Contributions of all shards, cut into buckets.
private final class ReductionExample {
  let world: Communicator
  let placement: Placement
  let buckets: [Range<Int>]
  /// Every rank makes all contributions, so that it can compute the reference by itself.
  let all: [[Float]]
  /// Hosted contributions at fixed addresses, as the trainer's are.
  let vectors: [UnsafeMutableBufferPointer<Float>]
  let result: UnsafeMutablePointer<Float>
  /// Where nodes have several ranks.
  let memory: SharedVectors?
  private let total: Int
  private let untouched: Float = -12345
  private let references = References()

  /// Results in an order, which several algorithms share.
  private final class References { var known: [ReductionOrder: [Int: [Float]]] = [:] }

  init(_ world: Communicator, shards: Int, bucketSizes: [Int]) throws {
    self.world = world
    placement = Placement(shards: shards, ranks: world.size)
    var buckets: [Range<Int>] = []
    for size in bucketSizes { buckets.append((buckets.last?.upperBound ?? 0)..<(buckets.last?.upperBound ?? 0) + size) }
    self.buckets = buckets
    let total = bucketSizes.reduce(0, +)
    self.total = total
    let all = contributions(shards: shards, elements: total)
    self.all = all
    vectors = placement.shards(of: world.rank).map { shard in
      let vector = UnsafeMutableBufferPointer<Float>.allocate(capacity: total)
      _ = vector.initialize(from: all[shard])
      return vector
    }
    result = .allocate(capacity: total)
    let common = SharedVectors.Common(vectors: 0, flags: GradientReducer.flags(buckets: buckets.count))
    let obstacle = try SharedVectors.obstacle(on: world, placement: placement, count: total, common: common)
    memory =
      obstacle == nil ? try SharedVectors(on: world, placement: placement, count: total, common: common) : nil
  }

  func free() throws {
    try memory?.free()
    for vector in vectors { vector.deallocate() }
    result.deallocate()
  }

  private func reference(_ order: ReductionOrder, bucket: Int) -> [Float] {
    if let known = references.known[order]?[bucket] { return known }
    let made = order.reduceReference(all.map { Array($0[buckets[bucket]]) })
    references.known[order, default: [:]][bucket] = made
    return made
  }

  func check(
    _ algorithm: AllReduceAlgorithm, _ memory: SharedVectors?, into result: UnsafeMutablePointer<Float>?,
    sliced isSliced: Bool = false, _ checks: Checks
  ) throws {
    let hosted = placement.shards(of: world.rank)
    let own = zip(hosted, vectors).compactMap { shard, vector -> UnsafePointer<Float>? in
      guard let memory else { return UnsafePointer(vector.baseAddress) }
      memory.vector(ofShard: shard).update(from: all[shard], count: total)
      return UnsafePointer(memory.vector(ofShard: shard))
    }
    let slices = buckets.map { bucket -> Range<Int> in
      // Not those that it would choose itself.
      func bound(_ part: Int, of parts: Int) -> Int { bucket.lowerBound + bucket.count * part * part / (parts * parts) }
      guard isSliced, let node = memory?.node else { return bucket }
      return bound(node.rank, of: node.size)..<bound(node.rank + 1, of: node.size)
    }
    let reducer = try GradientReducer(
      communicator: world, placement: placement, buckets: buckets, algorithm: algorithm, contributions: own,
      result: result, memory: memory, slices: isSliced ? slices : nil)
    result?.update(repeating: untouched, count: total)
    memory?.barrier()
    let name =
      "\(algorithm)\(memory == nil ? "" : " over shared memory")\(isSliced ? " in slices" : ""), S = \(placement.shards), "
      + "p = \(world.size)"

    for (index, bucket) in buckets.enumerated() {
      let place = "\(name), n = \(bucket.count)"
      let expected = reducer.strategies[index].map { reference($0.order, bucket: index) }
      let before = reducer.traffic
      try reducer.begin(bucket: index)
      switch index % 3 {
      case 0: try reducer.finish(bucket: index)
      case 1 where algorithm.isReproducible:
        // By polling.
        while try !reducer.advance(bucket: index) {}
      default:
        // The halves by themselves.
        try reducer.finishOwned(bucket: index)
        if let expected {
          let made = result.flatMap { memory == nil ? UnsafePointer($0) : nil } ?? memory?.sum.map { UnsafePointer($0) }
          let sums = made ?? own[0]
          let right = reducer.owned(bucket: index).joined().allSatisfy {
            sums[$0].bitPattern == expected[$0 - bucket.lowerBound].bitPattern
          }
          checks.expect(right, "owned sums after the first half, \(place)")
        }
        try reducer.finish(bucket: index)
      }
      let sums = reducer.sums(bucket: index)
      let found = sums.flatMap { sum in sum.elements.map { sum.vector[$0] } }
      let rest = result.map { result in (bucket.upperBound..<total).allSatisfy { result[$0] == untouched } } ?? true
      // The others go on once all have looked.
      memory?.barrier()
      checks.expect(rest, "elements after the bucket were written, \(place)")
      let range = isSliced && memory?.sum == nil ? slices[index] : bucket
      checks.expectEqual(sums.flatMap { Array($0.elements) }, Array(range), "elements of the sum, \(place)")
      if let expected {
        let part = Array(expected[range.lowerBound - bucket.lowerBound..<range.upperBound - bucket.lowerBound])
        checks.expect(sameBits(found, part), "bits are not the order's, \(place)")
      } else {
        checks.expect(isSum(found, of: all.map { Array($0[bucket]) }), "not the sum to rounding, \(place)")
      }
      if algorithm == .ring && memory == nil {
        let expected = trafficOfRing(placement, elements: bucket.count, rank: world.rank)
        checks.expectEqual(reducer.traffic.rounds - before.rounds, expected.rounds, "rounds, \(place)")
        checks.expectEqual(reducer.traffic.bytes - before.bytes, expected.bytes, "bytes, \(place)")
      }
    }
    // On a single node a rank's first contribution gives its place to the sum that the rank makes.
    let isReplaced = memory != nil && memory?.sum == nil
    var isSum = [Bool](repeating: false, count: total)
    for bucket in buckets.indices where isReplaced {
      for element in reducer.owned(bucket: bucket).joined() { isSum[element] = true }
    }
    let read = zip(own, hosted).allSatisfy { vector, shard in
      (0..<total).allSatisfy { element in
        (shard == hosted.lowerBound && isSum[element])
          || vector[element].bitPattern == all[shard][element].bitPattern
      }
    }
    checks.expect(read, "a contribution was changed, \(name)")
  }
}

/// Whether numbers are a float32 sum of the rows in some order: the error is bounded by (S−1)·2⁻²⁴ of the sum of
/// magnitudes (doubled here for terms of second order).
private func isSum(_ found: [Float], of rows: [[Float]]) -> Bool {
  found.indices.allSatisfy { element in
    var exact = 0.0
    var magnitude = 0.0
    for row in rows {
      exact += Double(row[element])
      magnitude += Double(row[element]).magnitude
    }
    return abs(Double(found[element]) - exact) <= 2 * Double(rows.count) * 0x1p-24 * magnitude
  }
}

/// Rounds and bytes of one rank, counted from the order alone: along a chunk's sequence of shards, a message leaves a rank
/// whenever the next shard lives elsewhere; then finished ranges go round once.
private func trafficOfRing(_ placement: Placement, elements: Int, rank: Int) -> (rounds: Int, bytes: Int) {
  let (shards, ranks) = (placement.shards, placement.ranks)
  let bound: (Int) -> Int = { $0 * elements / shards }
  var rounds = 0
  var sent = 0
  var kept = 0
  for chunk in 0..<shards where bound(chunk + 1) > bound(chunk) {
    let hosts = (1...shards).map { placement.rank(of: (chunk + $0) % shards) }
    let leaving = zip(hosts, hosts.dropFirst()).filter { $0 != $1 }.map(\.0)
    let size = bound(chunk + 1) - bound(chunk)
    rounds = max(rounds, leaving.count)
    sent += leaving.filter { $0 == rank }.count * size
    if hosts.last == (rank + ranks - 1) % ranks { kept += size }
  }
  if ranks == 1 || elements == 0 { return (0, 0) }
  return (rounds + ranks - 1, 4 * (sent + elements - kept))
}

func checkAgreement(_ world: Communicator, _ checks: Checks) throws {
  let (rank, size) = (world.rank, world.size)
  for shards in size...size + 5 {
    let placement = Placement(shards: shards, ranks: size)
    for width in [0, 1, 3] {
      let expected = (0..<shards * width).map { 1 / Double($0 + 3) }
      var values = [Double](repeating: .nan, count: shards * width)
      for shard in placement.shards(of: rank) {
        for index in shard * width..<(shard + 1) * width { values[index] = expected[index] }
      }
      try world.allGatherShardValues(&values, placement: placement)
      checks.expectEqual(values, expected, "\(width) values of \(shards) shards")
    }
  }

  let digest = [UInt8](repeating: 7, count: 32)
  checks.expectEqual(try world.ranksThatDiffer(digest), [], "ranks that differ among equal ones")
  for odd in 0..<size where size > 2 {
    let found = try world.ranksThatDiffer(rank == odd ? [UInt8](repeating: 8, count: 32) : digest)
    checks.expectEqual(found, [odd], "the rank that differs")
  }
  if size == 2 {
    let found = try world.ranksThatDiffer([UInt8](repeating: UInt8(rank), count: 32))
    checks.expectEqual(found, [1], "one of two differs from rank 0")
  }

  checks.expectEqual(try world.agree { rank }, rank, "what was agreed to have gone well")
  for lowest in 0..<size {
    do {
      _ = try world.agree {
        if rank >= lowest { throw JobFailure(message: "rank \(rank) fäils", exitCode: Int32(60 + rank)) }
      }
      checks.expect(false, "an agreed failure was not thrown")
    } catch let failure as JobFailure {
      checks.expectEqual(failure.message, "rank \(lowest) fäils", "sentence of the lowest rank")
      checks.expectEqual(failure.exitCode, Int32(60 + lowest), "exit code of the lowest rank")
      checks.expectEqual(failure.rank, lowest, "rank of the failure")
      checks.expect(failure.isAgreed, "the failure is agreed")
    }
  }
}
