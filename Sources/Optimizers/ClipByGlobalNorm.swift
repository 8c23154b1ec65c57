extension GradientTransformation {
  /// Scales the update so that its norm over the whole model is at most `greatest`: by greatest ÷ (norm + 10⁻⁶), if that
  /// is below 1 (Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013; the 10⁻⁶ as
  /// in PyTorch's `clip_grad_norm_`).
  ///
  /// A norm that is NaN makes every element NaN: trouble is shown, not hidden.
  public static func clipByGlobalNorm(_ greatest: Double) -> GradientTransformation {
    precondition(greatest > 0, "clipByGlobalNorm(\(greatest))")
    return GradientTransformation(name: "clipByGlobalNorm", reach: .model) { block in
      let coefficient = greatest / (block.modelNorm + 1e-6)
      // Not `min(1, coefficient)`, which would lose a NaN.
      if !(coefficient >= 1) { block.factor *= Float(coefficient) }
    }
  }
}
