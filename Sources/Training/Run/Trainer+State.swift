import Collectives
import Engine
import MPI
import TensorFiles

/// The state as one, although shards keep parts of it where they are hosted.
extension Trainer {
  /// Copies the state into one that has the vectors of all shards. Collective where shards keep any; else the rank's own affair.
  ///
  /// - Parameter copy: on rank 0 where the copy goes; nil where there is no room for it, and then nobody sends anything.
  /// - Returns: whether there is a copy, on every rank.
  @discardableResult
  func copyState(to copy: TrainingState?) throws -> Bool {
    if state.shards.isEmpty {
      copy?.assign(from: state)
      return copy != nil
    }
    var isWanted = [copy == nil ? 0 : 1]
    try world.broadcast(&isWanted)
    guard isWanted[0] == 1 else { return false }
    copy?.assign(from: state)
    try exchangeShardVectors(copy) { shard, owner, slot, there in
      let own = state.shards
      if owner == 0 {
        if let there { there.pointer.update(from: own[shard, slot].pointer, count: there.count) }
      } else if let there {
        try world.receive(into: there.values, from: owner, tag: shard)
      } else if owner == world.rank {
        try world.send(UnsafeBufferPointer(own[shard, slot].values), to: 0, tag: shard)
      }
    }
    return true
  }

  /// Gives every rank its shards' part of a state that rank 0 has. Collective.
  func distributeShardVectors(of whole: TrainingState?) throws {
    try exchangeShardVectors(whole) { shard, owner, slot, there in
      let own = state.shards
      if owner == 0 {
        if let there, there.pointer != own[shard, slot].pointer {
          own[shard, slot].pointer.update(from: there.pointer, count: there.count)
        }
      } else if let there {
        try world.send(UnsafeBufferPointer(there.values), to: owner, tag: shard)
      } else if owner == world.rank {
        try world.receive(into: own[shard, slot].values, from: 0, tag: shard)
      }
    }
  }

  /// - Parameter body: called for every vector of every shard in the same order everywhere, with the shard, the rank that hosts
  ///   it, the slot, and on rank 0 the vector of the whole state.
  private func exchangeShardVectors(
    _ whole: TrainingState?, _ body: (_ shard: Int, _ owner: Int, _ slot: Int, _ there: FloatBuffer?) throws -> Void
  ) throws {
    for shard in 0..<(state.shards.isEmpty ? 0 : resources.shards) {
      let owner = resources.placement.rank(of: shard)
      for slot in state.shards.slots.indices { try body(shard, owner, slot, whole?.shards[shard, slot]) }
    }
  }

  /// SHA-256 of the whole state. Collective where shards keep any of it.
  func stateDigest() throws -> SHA256.Digest {
    if state.shards.isEmpty { return try state.stateDigest() }
    let whole = try world.agree { try world.rank == 0 ? state.whole(shards: resources.shards) : nil }
    try copyState(to: whole)
    return SHA256.Digest(bytes: try world.broadcastBytes(whole?.stateDigest().bytes ?? []))
  }
}
