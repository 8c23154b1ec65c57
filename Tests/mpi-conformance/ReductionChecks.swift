import Collectives
import MPI
import TestSupport

/// The ring between real ranks against the order's plain definition, and `native` to rounding.
func checkReduction(_ world: Communicator, _ checks: Checks) throws {
  let counts: Set = [world.size, world.size + 1, world.size + 2, 2 * world.size, 2 * world.size + 1, 7, 12, 17]
  for shards in counts.sorted() where shards >= world.size {
    let elements = [0, 1, shards - 1, shards, shards + 1, 31, 509, 997, 4099, 70_001]
    try checkReduction(world, shards: shards, bucketSizes: elements, checks)
  }
  try checkReduction(world, shards: 4, bucketSizes: [1_000_003], checks)
  try checkReduction(world, shards: 7, bucketSizes: [1_000_003], checks)
}

private func checkReduction(
  _ world: Communicator, shards: Int, bucketSizes: [Int], _ checks: Checks
) throws {
  let placement = Placement(shards: shards, ranks: world.size)
  let hosted = placement.shards(of: world.rank)
  let total = bucketSizes.reduce(0, +)
  // Every rank makes all contributions, so that it can compute the reference by itself.
  let all = contributions(shards: shards, elements: total)
  var buckets: [Range<Int>] = []
  for size in bucketSizes { buckets.append((buckets.last?.upperBound ?? 0)..<(buckets.last?.upperBound ?? 0) + size) }
  // Hosted contributions are copied to memory with fixed addresses, as the trainer's are.
  let vectors = hosted.map { shard in
    let vector = UnsafeMutableBufferPointer<Float>.allocate(capacity: total)
    _ = vector.initialize(from: all[shard])
    return vector
  }
  let result = UnsafeMutablePointer<Float>.allocate(capacity: total)
  defer {
    for vector in vectors { vector.deallocate() }
    result.deallocate()
  }
  let pointers = vectors.compactMap { UnsafePointer($0.baseAddress) }
  let untouched: Float = -12345

  let common = SharedVectors.Common(vectors: 1)
  var memories: [SharedVectors?] = [nil]
  if try world.size > 1
    && SharedVectors.obstacle(on: world, placement: placement, count: total, common: common) == nil
  {
    memories.append(try SharedVectors(on: world, placement: placement, count: total, common: common))
  }
  for algorithm in AllReduceAlgorithm.allCases {
    for memory in algorithm.order == nil ? [nil] : memories {
      let reducer = try GradientReducer(
        communicator: world, placement: placement, buckets: buckets, algorithm: algorithm, memory: memory)
      let own =
        memory.map { memory in
          hosted.map { shard in
            memory.vector(ofShard: shard).update(from: all[shard], count: total)
            return UnsafePointer(memory.vector(ofShard: shard))
          }
        } ?? pointers
      // Into memory of this rank's own, and where there is some into the node's.
      for result in [result] + (memory.map { [$0.commonVector(0)] } ?? []) {
        if let memory { memory.barrier() }
        if memory == nil || world.rank == 0 || result != memory?.commonVector(0) {
          result.update(repeating: untouched, count: total)
        }
        if let memory { memory.barrier() }
        let transport = memory == nil ? "" : " over shared memory"
        for (index, bucket) in buckets.enumerated() {
          let place = "\(algorithm)\(transport), S = \(shards), p = \(world.size), n = \(bucket.count)"
          let mine = all.map { Array($0[bucket]) }
          let before = reducer.traffic
          // The halves by themselves in every other bucket.
          if index % 2 == 0 {
            try reducer.reduce(bucket: index, contributions: own, result: result)
          } else {
            try reducer.reduceScatter(bucket: index, contributions: own, result: result)
            if algorithm == .ring {
              let owned = reducer.owned(bucket: index)
              let expected = ReductionOrder.ring.reduceReference(mine)
              let right = owned.allSatisfy { result[$0].bitPattern == expected[$0 - bucket.lowerBound].bitPattern }
              checks.expect(right, "owned sums after the first half, \(place)")
            }
            try reducer.allGather(bucket: index, result: result)
          }
          let found = Array(UnsafeBufferPointer(start: result + bucket.lowerBound, count: bucket.count))
          let rest = (bucket.upperBound..<total).allSatisfy { result[$0] == untouched }
          // The others write the next bucket's sums there once all have looked.
          memory?.barrier()
          checks.expect(rest, "elements after the bucket were written, \(place)")
          checks.expect(isSum(found, of: mine), "not the sum to rounding, \(place)")
          if algorithm == .ring {
            let expected = ReductionOrder.ring.reduceReference(mine)
            checks.expect(sameBits(found, expected), "bits are not the order's, \(place)")
          }
          if algorithm == .ring && memory == nil {
            let traffic = reducer.traffic
            let expectedTraffic = trafficOfRing(placement, elements: bucket.count, rank: world.rank)
            checks.expectEqual(traffic.rounds - before.rounds, expectedTraffic.rounds, "rounds, \(place)")
            checks.expectEqual(traffic.bytes - before.bytes, expectedTraffic.bytes, "bytes, \(place)")
          }
        }
      }
      let read = zip(own, hosted).allSatisfy { vector, shard in
        sameBits(Array(UnsafeBufferPointer(start: vector, count: total)), all[shard])
      }
      checks.expect(read, "\(algorithm) changed a contribution, S = \(shards)")
    }
  }
  for memory in memories { try memory?.free() }
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
    if hosts.last == (rank + 1) % ranks { kept += size }
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
