import CKernels

extension GradientTransformation {
  /// Momentum: a trace of past updates, t ← momentum·t + update, takes the update's place; with Nesterov's look-ahead,
  /// update + momentum·t does. Slot: `momentum`.
  ///
  /// The trace starts at zero, so the first is the update itself: PyTorch's SGD without dampening.
  ///
  /// In front of `scaleByLearningRate` the trace holds gradients. Behind it, it holds steps that carry the learning rate
  /// of their time; `correctingLearningRate` then multiplies it by the ratio of this step's rate to the last one's
  /// (Goyal et al., "Accurate, large minibatch SGD", 2017, section 3).
  public static func trace(
    momentum: Double, nesterov: Bool = false, correctingLearningRate: Bool = false
  ) -> GradientTransformation {
    precondition(momentum >= 0 && momentum < 1, "trace(momentum: \(momentum))")
    var transformation = GradientTransformation(name: "trace", slots: ["momentum"]) { block in
      let (update, factor, trace, count) = (block.update, block.factor, block.slot(0), block.count)
      var weight = Float(momentum)
      // A last rate of 0 left a trace that is already right for any next one.
      if correctingLearningRate, block.step.previousLearningRate != 0 {
        weight = Float(momentum * (block.step.learningRate / block.step.previousLearningRate))
      }
      if nesterov {
        // The new trace has this step's rate already, so the look-ahead is not corrected.
        block.rewrite { ck_trace_nesterov($0, trace, update, factor, weight, Float(momentum), count) }
      } else {
        ck_trace(trace, update, factor, weight, count)
        block.replace(by: UnsafePointer(trace))
      }
    }
    if !correctingLearningRate { transformation.part = .trace(momentum: Float(momentum), nesterov: nesterov) }
    return transformation
  }
}
