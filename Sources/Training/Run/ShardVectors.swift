import Engine

/// A flat vector that every shard keeps for itself from step to step.
struct ShardSlot: Sendable, Hashable {
  /// As in the names of tensors: `residual`.
  let name: String
  /// Whether it has places for running statistics that mean something.
  var holdsStatistics = false
  /// Whether tensors stand in the standard layout, rather than in the kernels'.
  var isStandard = false
  /// Whether it is a single number, and no vector.
  var isNumber = false
}

extension ShardSlot {
  /// Its elements.
  fileprivate func count(_ layout: ParameterLayout) -> Int { isNumber ? 1 : layout.count }
}

/// What shards keep for themselves: flat vectors by shard and slot. Empty for plain synchronous SGD.
///
/// A rank has those of the shards that it hosts; a whole state has all.
final class ShardVectors {
  let slots: [ShardSlot]
  let shards: Range<Int>
  /// By shard, from the first of `shards` on, and slot.
  private let vectors: [[FloatBuffer]]

  /// None.
  init() { (slots, shards, vectors) = ([], 0..<0, []) }

  /// Vectors of zeros.
  init(_ layout: ParameterLayout, slots: [ShardSlot], shards: Range<Int>) throws {
    self.slots = slots
    self.shards = slots.isEmpty ? 0..<0 : shards
    vectors = try self.shards.map { shard in
      try slots.enumerated().map { index, slot in
        try FloatBuffer(count: slot.count(layout), skew: 1088 * ((slots.count * shard + index) % 3 + 1))
      }
    }
  }

  /// Vectors of all shards: those of `own`, and room for the others'.
  init(allOf count: Int, _ layout: ParameterLayout, own: ShardVectors) throws {
    slots = own.slots
    shards = own.slots.isEmpty ? 0..<0 : 0..<count
    vectors = try shards.map { shard in
      try own.slots.enumerated().map { index, slot in
        try own.shards.contains(shard) ? own[shard, index] : FloatBuffer(count: slot.count(layout))
      }
    }
  }

  var isEmpty: Bool { slots.isEmpty }

  subscript(shard: Int, slot: Int) -> FloatBuffer { vectors[shard - shards.lowerBound][slot] }
}
