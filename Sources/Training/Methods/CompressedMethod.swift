import Collectives
import Compression
import Dispatch
import Engine
import Optimizers

/// Synchronous SGD with gradients that are compressed on their way.
final class CompressedMethod: TrainingMethod {
  private let sum: CompressedSum
  /// What sums go over without a codec.
  private let plain: GradientReducer
  private let vectors: RunVectors
  private let state: TrainingState
  private let optimizer: Optimizer
  private let stepsPerEpoch: Int
  /// The norm to which each shard clips its own gradient; nil where the optimizer clips the sum.
  private let localClipNorm: Double?
  private var local: LocalUpdate
  private let updated: UpdateVectors
  private let runningStatistics: [ParameterLayout.Entry]

  /// Of a plain sum.
  private let plainBytes: Int
  private var plainSeconds = 0.0
  /// Since the report before.
  private var steps = 0
  private var nanoseconds: UInt64 = 0
  private var reported = (modelled: 0, coding: UInt64(0))

  init(
    _ sum: CompressedSum, _ plain: GradientReducer, _ vectors: RunVectors, _ optimizer: Optimizer, stepsPerEpoch: Int,
    localClipNorm: Double?
  ) {
    (self.sum, self.plain, self.vectors, self.optimizer) = (sum, plain, vectors, optimizer)
    (self.stepsPerEpoch, self.localClipNorm) = (stepsPerEpoch, localClipNorm)
    plainBytes = plain.modelledBytes
    state = vectors.state
    local = LocalUpdate(optimizer)
    updated = UpdateVectors(
      parameters: state.parameters.pointer, gradient: vectors.gradient.pointer, slots: state.slots.map(\.pointer))
    runningStatistics = state.layout.entries.filter { !$0.parameter.isTrainable }
  }

  var traffic: MethodTraffic { sum.traffic }
  var text: String { sum.text }
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(state.parameters.pointer) }
  func takesOwnMean(at step: Int) -> Bool { false }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws {
    enter(.communication)
    let begin = DispatchTime.now().uptimeNanoseconds
    defer {
      steps += 1
      nanoseconds += DispatchTime.now().uptimeNanoseconds - begin
    }
    try sum.run(
      CompressedSum.Moment(
        step: step.number, epoch: step.number / stepsPerEpoch,
        factors: vectors.shardGradients.map { clippingFactor($0) },
        parts: samples.hosted.map { Double($0) / Double(max(samples.global, 1)) }))
  }

  /// What keeps a shard's gradient within its norm.
  private func clippingFactor(_ gradient: FloatBuffer) -> Float {
    guard let localClipNorm else { return 1 }
    let norm = optimizer.layout.norm(of: UnsafePointer(gradient.pointer))
    return norm > localClipNorm ? Float(localClipNorm / norm) : 1
  }

  /// Sums one bucket, before there are gradients that it could spoil: the largest up to 16 MiB, because small ones pass a link
  /// at another rate.
  func prepare() throws {
    let sizes = plain.buckets.map(\.count)
    let bucket =
      sizes.indices.filter { sizes[$0] <= 4 << 20 }.max { sizes[$0] < sizes[$1] }
      ?? sizes.indices.min { sizes[$0] < sizes[$1] }
    guard let bucket, sizes[bucket] > 0 else { return }
    var best = Double.infinity
    for _ in 0..<2 {
      let begin = DispatchTime.now().uptimeNanoseconds
      try plain.reduce(bucket: bucket)
      best = min(best, Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9)
    }
    plainSeconds = best * Double(sizes.reduce(0, +)) / Double(sizes[bucket])
  }

  func takeCompression() -> CompressionReport? {
    let (modelled, coding) = (sum.traffic.modelled, sum.codingNanoseconds)
    defer { (steps, nanoseconds, reported) = (0, 0, (modelled, coding)) }
    var report = CompressionReport()
    let count = Double(max(steps, 1))
    report.share = Double(modelled - reported.modelled) / count / Double(max(plainBytes, 1))
    report.seconds = Double(nanoseconds) / 1e9 / count
    report.codingSeconds = Double(coding - reported.coding) / 1e9 / count
    report.plainSeconds = plainSeconds
    return report
  }

  func update(at step: UpdateStep, measuringNorm: Bool) -> Double? {
    state.updateRunningStatistics(runningStatistics, towards: vectors.gradient, at: step, average: optimizer.average)
    return local.step(updated, at: step, measuringNorm: measuringNorm)
  }
}
