import Collectives
import Determinism
import Engine
import MPI
import Optimizers

/// How the ranks of a node share their work and memory. The bits of a run do not depend on it.
public struct Sharing: Sendable, Hashable {
  /// The values of `--transport`.
  public enum Transport: String, Sendable, CaseIterable {
    /// Shared memory where nodes have several ranks and room for it, else messages alone.
    case auto
    case messages
    case sharedMemory = "shared-memory"
  }

  /// The values of `--update`.
  public enum Update: String, Sendable, CaseIterable {
    /// Where memory is shared: one set of parameters and slots on the node, of which each rank updates its part.
    case sliced
    /// A set on each rank, all of it updated there.
    case replicated
  }

  /// The values of `--overlap`.
  public enum Overlap: String, Sendable, CaseIterable {
    /// Where messages go between nodes.
    case auto
    case on
    case off
  }

  public var transport: Transport
  public var update: Update
  public var overlap: Overlap

  public init(_ transport: Transport = .auto, _ update: Update = .sliced, _ overlap: Overlap = .auto) {
    (self.transport, self.update, self.overlap) = (transport, update, overlap)
  }
}

/// The flat vectors of a run on one rank, its own or the node's.
struct RunVectors {
  /// Nil where nothing is shared.
  let memory: SharedVectors?
  /// Why nothing is shared although it could have been, if so.
  let obstacle: String?
  let state: TrainingState
  /// Of the shards that this rank hosts.
  let shardGradients: [FloatBuffer]
  /// Their sum over all shards, or where the ranks of a node share an update this rank's parts of it.
  let gradient: FloatBuffer
  /// Where the ranks of the node share an update.
  let sharing: LocalUpdate.Sharing?

  /// What a method needs beside the run's part of a state.
  struct Needs {
    /// Each rank has a sum and a state of its own, whatever `--update` says.
    var ownSum = false
    /// A rank takes one shard's part of a batch after the other, whoever's it is, and servers none: nothing is summed.
    var worksPartByPart = false
    /// What each shard keeps, and what all keep alike.
    var shardSlots: [ShardSlot] = []
    var commonSlots: [ShardSlot] = []
  }

  /// Collective.
  ///
  /// - Parameters:
  ///   - needs: what the method needs.
  /// - Throws: 64 where `--transport shared-memory` cannot be.
  init(
    _ world: Communicator, _ placement: Placement, _ layout: ParameterLayout, _ optimizer: Optimizer,
    _ algorithm: AllReduceAlgorithm, buckets: Int, _ sharing: Sharing, _ needs: Needs = Needs()
  ) throws {
    let isSliced = sharing.update == .sliced && !needs.ownSum
    let common = SharedVectors.Common(
      vectors: isSliced ? 1 + optimizer.slots.count : 0, doubles: isSliced ? optimizer.sumCount : 0,
      flags: GradientReducer.flags(buckets: buckets))
    var obstacle: String?
    var memory: SharedVectors?
    if world.size > 1 && sharing.transport != .messages && !needs.worksPartByPart && algorithm.isReproducible {
      obstacle = try SharedVectors.obstacle(on: world, placement: placement, count: layout.count, common: common)
      if obstacle == nil {
        memory = try SharedVectors(on: world, placement: placement, count: layout.count, common: common)
      } else if let obstacle, sharing.transport == .sharedMemory {
        try world.agree {
          throw TrainingError(
            .badConfiguration, "--transport shared-memory: \(obstacle); leave it out, and messages are sent.")
        }
      }
    }
    self.obstacle = obstacle
    self.memory = memory

    let hosted = placement.shards(of: world.rank)
    let shards = try ShardVectors(layout, slots: needs.shardSlots, shards: hosted)
    let shared = try ShardVectors(layout, slots: needs.commonSlots, shards: 0..<1)
    // Vectors that one loop reads side by side start at different places within a page (docs/engine.md). The sum over
    // one shard is its gradient.
    guard let memory else {
      if needs.worksPartByPart {
        gradient = try FloatBuffer(count: hosted.isEmpty ? 0 : layout.count, skew: 1088)
        shardGradients = hosted.isEmpty ? [] : [gradient]
        state = try TrainingState(layout: layout, slotNames: optimizer.slots, shards: shards)
        self.sharing = nil
        return
      }
      let isSingle = placement.shards == 1
      shardGradients = try hosted.indices.map {
        try FloatBuffer(count: layout.count, skew: isSingle ? 1088 : 3264 + 1088 * ($0 % 2))
      }
      gradient = isSingle ? shardGradients[0] : try FloatBuffer(count: layout.count, skew: 1088)
      state = try TrainingState(layout: layout, slotNames: optimizer.slots, shards: shards, common: shared)
      self.sharing = nil
      return
    }
    func vector(_ pointer: UnsafeMutablePointer<Float>) -> FloatBuffer {
      FloatBuffer(count: layout.count, at: pointer, of: memory)
    }
    shardGradients = hosted.map { vector(memory.vector(ofShard: $0)) }
    guard isSliced else {
      gradient = try FloatBuffer(count: layout.count, skew: 1088)
      state = try TrainingState(layout: layout, slotNames: optimizer.slots, shards: shards, common: shared)
      self.sharing = nil
      return
    }
    gradient = memory.sum.map(vector) ?? shardGradients[0]
    state = TrainingState(
      layout: layout, slotNames: optimizer.slots,
      vectors: (0...optimizer.slots.count).map { vector(memory.commonVector($0)) })
    self.sharing = LocalUpdate.Sharing(sums: memory.commonDoubles, wait: memory.barrier)
  }

  /// This rank's part of the update of a bucket.
  func part(of bucket: Range<Int>, _ layout: UpdateLayout) -> UpdateLayout.Part {
    guard sharing != nil, let node = memory?.node else { return layout.part(0, of: 1, in: bucket) }
    return layout.part(node.rank, of: node.size, in: bucket)
  }

  /// The ranks that each keep a copy of the parameters for themselves or their node, rank 0 among them; nil where this rank
  /// does not.
  func replicas(_ world: Communicator) -> Communicator? {
    guard let memory, sharing != nil else { return world }
    return memory.node.rank == 0 ? memory.nodes.lane : nil
  }
}
