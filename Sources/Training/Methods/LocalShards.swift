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

  /// All are where the run is.
  func start() {
    for vector in parameters { vector.assign(from: state.parameters) }
    for (index, slot) in state.slots.enumerated() { for vector in self.slot(index) { vector.assign(from: slot) } }
  }

  /// Updates the run's parameters, which are those of all shards then.
  mutating func updateAll(with sum: FloatBuffer, at step: UpdateStep, measuringNorm: Bool) {
    state.updateRunningStatistics(runningStatistics, towards: sum, at: step, average: nil)
    let vectors = UpdateVectors(
      parameters: state.parameters.pointer, gradient: sum.pointer, slots: state.slots.map(\.pointer))
    let norm = local.step(vectors, at: step, measuringNorm: measuringNorm) ?? 0
    for index in squaredNorms.indices { squaredNorms[index] = norm * norm }
    start()
  }

  /// Updates one shard with its own gradient.
  mutating func update(_ index: Int, at step: UpdateStep, measuringNorm: Bool) {
    let gradient = gradients[index]
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
