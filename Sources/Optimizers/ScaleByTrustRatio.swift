import CKernels

extension GradientTransformation {
  /// Scales each parameter's update u, with decayed weights λ·w added, by a trust ratio
  ///
  ///     coefficient · ‖w‖ ÷ (‖u‖ + λ·‖w‖ + ε), or 1 where ‖w‖ or ‖u‖ is 0.
  ///
  /// With λ > 0 and on gradients this is LARS (You, Gitman, Ginsburg, "Large batch training of convolutional networks",
  /// 2017, section 4, with the ε and the 1 of MLPerf's reference); with λ = 0, behind `scaleByAdam` and
  /// `addDecayedWeights`, it is LAMB (You et al., "Large batch optimization for deep learning", ICLR 2020, algorithm 2,
  /// φ = identity). Parameters whose region does not adapt keep the ratio 1; those that do not decay have λ = 0.
  public static func scaleByTrustRatio(
    coefficient: Double = 1, decay: Double = 0, epsilon: Double = 0
  ) -> GradientTransformation {
    precondition(coefficient > 0 && decay >= 0 && epsilon >= 0, "scaleByTrustRatio(coefficient: \(coefficient))")
    return GradientTransformation(name: "scaleByTrustRatio", reach: .parameter) { block in
      let decay = block.decays ? decay : 0
      if decay != 0 {
        let (update, factor, parameters, count) = (block.update, block.factor, block.parameters, block.count)
        block.rewrite { ck_add_decayed($0, update, factor, parameters, Float(decay), count) }
      }
      guard block.adapts, block.parameterNorm != 0, block.updateNorm != 0 else { return }
      block.factor *= Float(
        coefficient * block.parameterNorm / (block.updateNorm + decay * block.parameterNorm + epsilon))
    }
  }
}
