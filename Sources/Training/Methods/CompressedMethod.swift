import Collectives
import Compression
import Engine
import Optimizers

/// Synchronous SGD with gradients that are compressed on their way.
final class CompressedMethod: TrainingMethod {
  private let sum: CompressedSum
  private let vectors: RunVectors
  private let state: TrainingState
  private let optimizer: Optimizer
  private let stepsPerEpoch: Int
  /// The norm to which each shard clips its own gradient; nil where the optimizer clips the sum.
  private let localClipNorm: Double?
  private var local: LocalUpdate
  private let updated: UpdateVectors
  private let runningStatistics: [ParameterLayout.Entry]
  private var sums: [Double]

  init(
    _ sum: CompressedSum, _ vectors: RunVectors, _ optimizer: Optimizer, stepsPerEpoch: Int, localClipNorm: Double?
  ) {
    (self.sum, self.vectors, self.optimizer) = (sum, vectors, optimizer)
    (self.stepsPerEpoch, self.localClipNorm) = (stepsPerEpoch, localClipNorm)
    state = vectors.state
    local = LocalUpdate(optimizer)
    updated = UpdateVectors(
      parameters: state.parameters.pointer, gradient: vectors.gradient.pointer, slots: state.slots.map(\.pointer))
    runningStatistics = state.layout.entries.filter { !$0.parameter.isTrainable }
    sums = Array(repeating: 0, count: optimizer.sumCount)
  }

  var traffic: MethodTraffic { sum.traffic }
  var text: String { sum.text }
  func startShards() {}
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(state.parameters.pointer) }
  func takesOwnMean(at step: Int) -> Bool { false }
  var squaredNorms: [Double] { [] }
  func companion(at step: UpdateStep) -> Executor.Companion? { nil }
  func takeHidden() -> UInt64 { 0 }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws {
    enter(.communication)
    try sum.run(
      CompressedSum.Moment(
        step: step.number, epoch: step.number / stepsPerEpoch,
        factors: vectors.shardGradients.map { clippingFactor($0) },
        parts: samples.hosted.map { Double($0) / Double(max(samples.global, 1)) }))
  }

  /// What keeps a shard's gradient within its norm.
  private func clippingFactor(_ gradient: FloatBuffer) -> Float {
    guard let localClipNorm else { return 1 }
    let layout = optimizer.layout
    let norm = sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { return 0.0 }
      layout.sumSquares(of: UnsafePointer(gradient.pointer), blocks: 0..<layout.blocks.count, into: base)
      return layout.norm(base)
    }
    return norm > localClipNorm ? Float(localClipNorm / norm) : 1
  }

  func update(at step: UpdateStep, measuringNorm: Bool) -> Double? {
    state.updateRunningStatistics(runningStatistics, towards: vectors.gradient, at: step, average: optimizer.average)
    return local.step(updated, at: step, measuringNorm: measuringNorm)
  }

  func settle(after step: Int) {}
}
