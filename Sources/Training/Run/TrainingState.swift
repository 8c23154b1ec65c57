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

/// Everything a run needs to continue: parameters, running statistics, optimizer slots and the position.
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

  /// The parameters and running statistics as files hold them.
  public var parameterTensors: [TensorSource] { tensors(of: parameters, prefix: "", trainableOnly: false) }

  /// All tensors of the state, the position included.
  public var stateTensors: [TensorSource] {
    let slotTensors = zip(slotNames, slots).flatMap { tensors(of: $1, prefix: "optimizer/\($0)/", trainableOnly: true) }
    return tensors(of: parameters, prefix: "model/", trainableOnly: false) + slotTensors
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

  /// SHA-256 of parameters and running statistics: `parameters_sha256`.
  public func parametersDigest() throws -> SHA256.Digest { try tensorsDigest(parameterTensors) }

  /// SHA-256 of the whole state: `state_sha256`.
  public func stateDigest() throws -> SHA256.Digest { try tensorsDigest(stateTensors) }
}
