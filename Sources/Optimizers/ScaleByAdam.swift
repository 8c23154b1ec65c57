import CKernels

extension GradientTransformation {
  /// Adam's direction: the running mean of updates ÷ (root of the running mean of their squares + ε), both corrected for
  /// their start at zero (Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1). Slots:
  /// `first-moment`, `second-moment`.
  public static func scaleByAdam(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8
  ) -> GradientTransformation {
    precondition(0 <= beta1 && beta1 < 1 && 0 <= beta2 && beta2 < 1 && epsilon >= 0, "scaleByAdam(\(beta1), \(beta2))")
    return GradientTransformation(name: "scaleByAdam", slots: ["first-moment", "second-moment"]) { block in
      let time = block.step.number + 1
      let constants = ck_adam_step(
        decay1: Float(beta1), gain1: Float(1 - beta1), decay2: Float(beta2), gain2: Float(1 - beta2),
        correction1: Float(1 / (1 - power(beta1, time))), correction2: Float(1 / (1 - power(beta2, time))),
        epsilon: Float(epsilon))
      let (update, factor, count) = (block.update, block.factor, block.count)
      let (first, second) = (block.slot(0), block.slot(1))
      block.rewrite { ck_adam($0, first, second, update, factor, constants, count) }
    }
  }
}
