import CKernels

extension GradientTransformation {
  /// Adds `decay` × weights, for the parameters whose region says that it decays.
  ///
  /// In front of `trace` or `scaleByAdam` this is the gradient of an L2 penalty (PyTorch's `weight_decay` of SGD);
  /// between `scaleByAdam` and `scaleByLearningRate` it is decoupled decay (Loshchilov, Hutter, "Decoupled weight decay
  /// regularization", ICLR 2019).
  public static func addDecayedWeights(_ decay: Double) -> GradientTransformation {
    precondition(decay >= 0, "addDecayedWeights(\(decay))")
    var transformation = GradientTransformation(name: "addDecayedWeights") { block in
      guard block.decays, decay != 0 else { return }
      let (update, factor, parameters, count) = (block.update, block.factor, block.parameters, block.count)
      block.rewrite { ck_add_decayed($0, update, factor, parameters, Float(decay), count) }
    }
    transformation.part = .decay(Float(decay))
    return transformation
  }
}
