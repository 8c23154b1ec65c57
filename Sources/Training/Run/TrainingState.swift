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

/// Everything a run needs to continue: parameters, running statistics, optimizer slots, the average of parameters if
/// there is one, and the position.
///
/// Vectors are flat and in the kernels' layouts; files and digests use the standard layout, names sorted.
public final class TrainingState {
  public let layout: ParameterLayout
  public let parameters: FloatBuffer
  public let slotNames: [String]
  public let slots: [FloatBuffer]
  public var position = Position(step: 0)

  /// A state over vectors that are there: parameters, then slots.
  init(layout: ParameterLayout, slotNames: [String], vectors: [FloatBuffer]) {
    precondition(vectors.count == 1 + slotNames.count)
    (self.layout, self.slotNames) = (layout, slotNames)
    parameters = vectors[0]
    slots = Array(vectors.dropFirst())
  }

  /// A state of zeros.
  public init(layout: ParameterLayout, slotNames: [String]) throws {
    self.layout = layout
    self.slotNames = slotNames
    parameters = try FloatBuffer(count: layout.count)
    // Different starts within a page, so that an update's vectors do not compete for the same cache sets. The gradient
    // takes the next multiple.
    slots = try slotNames.indices.map { try FloatBuffer(count: layout.count, skew: 1088 * ($0 + 2)) }
  }

  /// Takes the values and the position of another state of the same layout.
  func assign(from other: TrainingState) {
    precondition(other.layout.count == layout.count && other.slotNames == slotNames)
    for (own, values) in zip([parameters] + slots, [other.parameters] + other.slots) {
      own.pointer.update(from: values.pointer, count: layout.count)
    }
    position = other.position
  }

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
  }

  /// All vectors of the state.
  var stored: [Stored] {
    let slots = zip(slotNames, slots).map { name, slot in
      name == ParameterAverage.slot
        ? Stored(prefix: Checkpoint.Parameters.average.prefix, vector: slot, trainableOnly: false)
        : Stored(prefix: "optimizer/\(name)/", vector: slot, trainableOnly: true)
    }
    return [Stored(prefix: Checkpoint.Parameters.trained.prefix, vector: parameters, trainableOnly: false)] + slots
  }

  /// All tensors of the state, the position included.
  public var stateTensors: [TensorSource] {
    stored.flatMap { tensors(of: $0.vector, prefix: $0.prefix, trainableOnly: $0.trainableOnly) }
      + [TensorSource(name: "position/step", shape: [1], integers: [Int64(position.step)])]
  }

  /// A flat vector of this layout as files hold it.
  func tensors(of vector: FloatBuffer, prefix: String, trainableOnly: Bool) -> [TensorSource] {
    layout.entries.filter { !trainableOnly || $0.parameter.isTrainable }.map { entry in
      TensorSource(name: prefix + entry.parameter.name, shape: entry.parameter.shape) { [layout] emit in
        try layout.standardValues(of: entry, in: vector.pointer).withUnsafeBufferPointer(emit)
      }
    }
  }

  /// SHA-256 of what is evaluated, `model.safetensors` of a run that ends here: `parameters_sha256`.
  public func parametersDigest() throws -> SHA256.Digest { try tensorsDigest(parameterTensors) }

  /// SHA-256 of the parameters and running statistics that training goes on with, and of their average.
  func trainedDigest() throws -> SHA256.Digest {
    let vectors = stored.filter { !$0.trainableOnly }
    return try tensorsDigest(vectors.flatMap { tensors(of: $0.vector, prefix: $0.prefix, trainableOnly: false) })
  }

  /// SHA-256 of the whole state: `state_sha256`.
  public func stateDigest() throws -> SHA256.Digest { try tensorsDigest(stateTensors) }
}
