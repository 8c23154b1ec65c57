import Engine
import Networks
import Optimizers
import TensorFiles

/// Where a run stands: the next global step to take. Everything random follows from it and the seed.
public struct Position: Sendable, Hashable {
  /// Global steps taken since the run began.
  public var step: Int
  public init(step: Int) { self.step = step }
}

/// Everything a run needs to continue, in two parts: the run's own (parameters, running statistics, optimizer slots, the
/// average of parameters if there is one, the position), and what each shard keeps for itself.
///
/// Vectors are flat and in the kernels' layouts; files and digests use the standard layout, names sorted.
public final class TrainingState {
  public let layout: ParameterLayout
  public let parameters: FloatBuffer
  public let slotNames: [String]
  public let slots: [FloatBuffer]
  let shards: ShardVectors
  /// What all shards keep alike for a codec: vectors of one "shard".
  let common: ShardVectors
  public var position = Position(step: 0)

  /// A state over vectors that are there: parameters, then slots.
  init(
    layout: ParameterLayout, slotNames: [String], vectors: [FloatBuffer], shards: ShardVectors = ShardVectors(),
    common: ShardVectors = ShardVectors()
  ) {
    precondition(vectors.count == 1 + slotNames.count)
    (self.layout, self.slotNames, self.shards, self.common) = (layout, slotNames, shards, common)
    parameters = vectors[0]
    slots = Array(vectors.dropFirst())
  }

  /// A state of zeros.
  public convenience init(layout: ParameterLayout, slotNames: [String]) throws {
    try self.init(layout: layout, slotNames: slotNames, shards: ShardVectors())
  }

  /// A state of zeros beside what shards keep.
  init(
    layout: ParameterLayout, slotNames: [String], shards: ShardVectors, common: ShardVectors = ShardVectors()
  ) throws {
    self.layout = layout
    self.slotNames = slotNames
    self.shards = shards
    self.common = common
    parameters = try FloatBuffer(count: layout.count)
    // Different starts within a page, so that an update's vectors do not compete for the same cache sets. The gradient
    // takes the next multiple.
    slots = try slotNames.indices.map { try FloatBuffer(count: layout.count, skew: 1088 * ($0 + 2)) }
  }

  /// The run's part of this state, and the vectors of `count` shards: this state's own, and room for the others'.
  func whole(shards count: Int) throws -> TrainingState {
    if shards.isEmpty { return self }
    let whole = TrainingState(
      layout: layout, slotNames: slotNames, vectors: [parameters] + slots,
      shards: try ShardVectors(allOf: count, layout, own: shards), common: common)
    whole.position = position
    return whole
  }

  /// A state of zeros of the same form, with the vectors of so many shards.
  func blank(shards count: Int) throws -> TrainingState {
    try TrainingState(
      layout: layout, slotNames: slotNames,
      shards: ShardVectors(layout, slots: shards.slots, shards: 0..<count),
      common: ShardVectors(layout, slots: common.slots, shards: 0..<1))
  }

  /// Takes the run's part, the position included, of another state of the same layout.
  func assign(from other: TrainingState) {
    precondition(other.layout.count == layout.count && other.slotNames == slotNames)
    for (own, values) in zip(
      [parameters] + slots + commonVectors, [other.parameters] + other.slots + other.commonVectors)
    {
      own.pointer.update(from: values.pointer, count: layout.count)
    }
    position = other.position
  }

  /// The vectors of `common`.
  var commonVectors: [FloatBuffer] { common.slots.indices.map { common[0, $0] } }

  /// The average of parameters and running statistics; nil where none is kept. It is the last slot.
  var average: FloatBuffer? { slotNames.last == ParameterAverage.slot ? slots.last : nil }

  /// The parameters and running statistics that are evaluated and written for others: their average, where one is kept.
  var evaluated: FloatBuffer { position.step == 0 ? parameters : average ?? parameters }

  /// What is evaluated, as files hold it.
  public var parameterTensors: [TensorSource] { tensors(of: evaluated, prefix: "", trainableOnly: false) }

  /// A vector of the state and how files name its tensors.
  struct Stored {
    let prefix: String
    let vector: FloatBuffer
    /// Whether it has no running statistics.
    let trainableOnly: Bool
    /// Whether its tensors stand in the standard layout.
    var isStandard = false
    /// Whether it is a single number, whose tensor has the prefix as its name.
    var isNumber = false
  }

  /// All vectors of the state.
  var stored: [Stored] {
    let slots = zip(slotNames, slots).map { name, slot in
      name == ParameterAverage.slot
        ? Stored(prefix: Checkpoint.Parameters.average.prefix, vector: slot, trainableOnly: false)
        : Stored(prefix: "optimizer/\(name)/", vector: slot, trainableOnly: true)
    }
    let ofShards = shards.shards.flatMap { shard in
      shards.slots.indices.map { slot in
        let form = shards.slots[slot]
        return Stored(
          prefix: "shards/\(zeroPadded(shard, 5))/\(form.name)" + (form.isNumber ? "" : "/"),
          vector: shards[shard, slot],
          trainableOnly: !form.holdsStatistics, isStandard: form.isStandard, isNumber: form.isNumber)
      }
    }
    let ofAll = common.slots.indices.map { slot in
      Stored(
        prefix: "compression/\(common.slots[slot].name)/", vector: common[0, slot], trainableOnly: true,
        isStandard: common.slots[slot].isStandard)
    }
    return [Stored(prefix: Checkpoint.Parameters.trained.prefix, vector: parameters, trainableOnly: false)] + slots
      + ofAll + ofShards
  }

  /// All tensors of the state, the position included.
  public var stateTensors: [TensorSource] {
    stored.flatMap { stored in
      stored.isNumber
        ? [TensorSource(name: stored.prefix, shape: [1], values: Array(stored.vector.values))]
        : tensors(
          of: stored.vector, prefix: stored.prefix, trainableOnly: stored.trainableOnly, isStandard: stored.isStandard)
    }
      + [TensorSource(name: "position/step", shape: [1], integers: [Int64(position.step)])]
  }

  /// A flat vector of this layout as files hold it.
  func tensors(
    of vector: FloatBuffer, prefix: String, trainableOnly: Bool, isStandard: Bool = false
  ) -> [TensorSource] {
    layout.entries.filter { !trainableOnly || $0.parameter.isTrainable }.map { entry in
      TensorSource(name: prefix + entry.parameter.name, shape: entry.parameter.shape) { [layout] emit in
        if isStandard {
          return try emit(
            UnsafeBufferPointer(
              start: vector.pointer + entry.range.lowerBound, count: entry.parameter.count))
        }
        try layout.standardValues(of: entry, in: vector.pointer).withUnsafeBufferPointer(emit)
      }
    }
  }

  /// SHA-256 of what is evaluated, `model.safetensors` of a run that ends here: `parameters_sha256`.
  public func parametersDigest() throws -> SHA256.Digest { try tensorsDigest(parameterTensors) }

  /// SHA-256 of the parameters and running statistics that training goes on with, and of their average.
  func trainedDigest() throws -> SHA256.Digest {
    let vectors = [(Checkpoint.Parameters.trained, parameters)] + (average.map { [(.average, $0)] } ?? [])
    return try tensorsDigest(vectors.flatMap { tensors(of: $1, prefix: $0.prefix, trainableOnly: false) })
  }

  /// SHA-256 of the whole state, `state_sha256`, where it has the vectors of all shards.
  public func stateDigest() throws -> SHA256.Digest { try tensorsDigest(stateTensors) }
}
