import Engine
import Optimizers

/// The parameters and slots of the shards that a rank hosts, each updated by its own gradient.
struct LocalShards: ~Copyable {
  private let state: TrainingState
  private let gradients: [FloatBuffer]
  private let runningStatistics: [ParameterLayout.Entry]
  /// One after another: an update keeps nothing between steps.
  private var local: LocalUpdate
  /// Of each hosted shard.
  private(set) var parameters: [FloatBuffer]
  private(set) var squaredNorms: [Double]

  /// - Parameter vectors: whose state has the slots of `LocalMethod.shardSlots`.
  init(_ vectors: RunVectors, _ optimizer: Optimizer) {
    state = vectors.state
    gradients = vectors.shardGradients
    runningStatistics = state.layout.entries.filter { !$0.parameter.isTrainable }
    local = LocalUpdate(optimizer)
    let shards = state.shards
    parameters = shards.shards.map { shards[$0, 0] }
    squaredNorms = Array(repeating: 0, count: parameters.count)
  }

  /// A slot of the optimizer, of each hosted shard.
  func slot(_ index: Int) -> [FloatBuffer] { state.shards.shards.map { state.shards[$0, 1 + index] } }

  /// All begin where the run does.
  func start() {
    for vector in parameters { vector.assign(from: state.parameters) }
    for (index, slot) in state.slots.enumerated() { for vector in self.slot(index) { vector.assign(from: slot) } }
  }

  /// Updates one shard.
  ///
  /// - Parameter gradient: nil for its own.
  mutating func update(_ index: Int, with gradient: FloatBuffer? = nil, at step: UpdateStep, measuringNorm: Bool) {
    let gradient = gradient ?? gradients[index]
    let shard = state.shards.shards.lowerBound + index
    let vectors = UpdateVectors(
      parameters: parameters[index].pointer, gradient: gradient.pointer,
      slots: state.slots.indices.map { state.shards[shard, 1 + $0].pointer })
    for entry in runningStatistics {
      updateRunningStatistic(
        UnsafeMutableBufferPointer(rebasing: parameters[index].values[entry.range]),
        towards: UnsafeBufferPointer(rebasing: gradient.values[entry.range]), momentum: entry.parameter.momentum)
    }
    let norm = local.step(vectors, at: step, measuringNorm: measuringNorm) ?? 0
    squaredNorms[index] = norm * norm
  }
}
