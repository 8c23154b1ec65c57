import Collectives
import Engine
import MPI
import Optimizers

/// Synchronous SGD: the sum of all shards' gradients updates the run's parameters, bucket by bucket.
final class SynchronousMethod: TrainingMethod {
  private let reducer: GradientReducer
  private let vectors: RunVectors
  private let state: TrainingState
  private let optimizer: Optimizer
  private var local: LocalUpdate
  private let updated: UpdateVectors
  /// Nil where sums wait for the whole backward pass.
  private let overlap: OverlappedSum?
  /// Those that this rank updates.
  private let runningStatistics: [ParameterLayout.Entry]
  /// Sums that were made, and the modelled bytes of one.
  private var steps = 0
  private let bytes: Int

  /// - Parameter overlap: sums beside the backward pass, if they are to be.
  init(_ reducer: GradientReducer, _ vectors: RunVectors, _ optimizer: Optimizer, overlap: OverlappedSum?) {
    (self.reducer, self.vectors, self.optimizer, self.overlap) = (reducer, vectors, optimizer, overlap)
    bytes = reducer.modelledBytes
    state = vectors.state
    updated = UpdateVectors(
      parameters: state.parameters.pointer, gradient: vectors.gradient.pointer, slots: state.slots.map(\.pointer))
    let parts = reducer.buckets.map { vectors.part(of: $0, optimizer.layout) }
    local = LocalUpdate(optimizer, stages: parts.map(\.blocks), sharing: vectors.sharing)
    let own = parts.map(\.elements)
    runningStatistics = state.layout.entries.filter { entry in
      !entry.parameter.isTrainable && own.contains { $0.contains(entry.range.lowerBound) }
    }
  }

  var traffic: MethodTraffic { MethodTraffic(sent: reducer.traffic.bytes, modelled: steps * bytes) }
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(state.parameters.pointer) }
  func takesOwnMean(at step: Int) -> Bool { false }

  func companion(at step: UpdateStep) -> Executor.Companion? {
    overlap?.companion { [unowned self] in local.begin(stages: $0, updated, at: step) }
  }

  func takeHidden() -> UInt64 { overlap?.takeHidden() ?? 0 }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws {
    steps += 1
    enter(.communication)
    try reducer.finish { finished in
      enter(.update)
      local.begin(stages: finished, updated, at: step)
      enter(.communication)
    }
  }

  /// Ends when all ranks that share the vectors are done.
  func update(at step: UpdateStep, measuringNorm: Bool) -> Double? {
    state.updateRunningStatistics(runningStatistics, towards: vectors.gradient, at: step, average: optimizer.average)
    return local.step(updated, at: step, measuringNorm: measuringNorm)
  }
}

extension TrainingState {
  /// Moves the run's running statistics towards those of a step, and their averages towards them: they are averaged with the
  /// parameters that they were measured under.
  func updateRunningStatistics(
    _ entries: [ParameterLayout.Entry], towards measured: FloatBuffer, at step: UpdateStep, average: ParameterAverage?
  ) {
    for entry in entries {
      let running = UnsafeMutableBufferPointer(rebasing: parameters.values[entry.range])
      updateRunningStatistic(
        running, towards: UnsafeBufferPointer(rebasing: measured.values[entry.range]),
        momentum: entry.parameter.momentum)
      if let average, let averages = self.average {
        updateRunningStatistic(
          UnsafeMutableBufferPointer(rebasing: averages.values[entry.range]), towards: UnsafeBufferPointer(running),
          momentum: average.weight(at: step))
      }
    }
  }
}
