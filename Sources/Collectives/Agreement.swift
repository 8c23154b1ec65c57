import MPI

extension Communicator {
  /// Fills in the values of all shards, so that every rank holds the same bits. Collective.
  ///
  /// - Parameter values: an array indexed by shard, or several values for each shard, one shard after another; a rank has
  ///   set those of the shards it hosts.
  public func allGatherShardValues<T: MPIElement>(_ values: inout [T], placement: Placement) throws {
    precondition(values.count % placement.shards == 0, "\(values.count) values of \(placement.shards) shards")
    let width = values.count / placement.shards
    let parts = (0..<size).map { rank in
      let block = placement.shards(of: rank)
      return block.lowerBound * width..<block.upperBound * width
    }
    try values.withUnsafeMutableBufferPointer { try allGather(inPlace: $0, parts: parts) }
  }

  /// The ranks whose bytes differ from what most ranks hold (from rank 0's, where two are as frequent), on every rank;
  /// empty if all agree. Collective.
  ///
  /// - Parameter digest: of one length everywhere, such as a SHA-256 of the parameters.
  public func ranksThatDiffer(_ digest: [UInt8]) throws -> [Int] {
    let all = try allGather(digest)
    let digests = (0..<size).map { Array(all[$0 * digest.count..<($0 + 1) * digest.count]) }
    var votes: [[UInt8]: Int] = [:]
    for digest in digests { votes[digest, default: 0] += 1 }
    let most = votes.values.max() ?? 0
    let agreed = votes[digests[0]] == most ? digests[0] : digests.first { votes[$0] == most }
    return digests.indices.filter { digests[$0] != agreed }
  }

  /// Exchanges a number with the ranks 1, 2, 4, … places away, as the rounds of most schedules do, so that connections that do
  /// not work show before anything depends on them. Collective.
  public func checkConnections() throws {
    for distance in sequence(first: 1, next: { 2 * $0 }).prefix(while: { $0 < size }) {
      let next = (rank + distance) % size
      let before = (rank + size - distance) % size
      let pending = try startReceive(Int.self, capacity: 1, from: before)
      try send([rank], to: next)
      let found = try pending.wait()
      guard found == [before] else {
        throw JobFailure(
          message: "rank \(rank) received \(found) from rank \(before) where its number was sent.", exitCode: 71)
      }
    }
  }
}
