extension GradientTransformation {
  /// Adagrad's direction: the update ÷ (root of the sum of all squares so far + ε) (Duchi, Hazan, Singer, "Adaptive
  /// subgradient methods", JMLR 2011). Slot: `sum-of-squares`, which starts at zero.
  public static func scaleByAdagrad(epsilon: Double = 1e-10) -> GradientTransformation {
    precondition(epsilon >= 0, "scaleByAdagrad(\(epsilon))")
    let epsilon = Float(epsilon)
    return GradientTransformation(name: "scaleByAdagrad", slots: ["sum-of-squares"]) { block in
      let (update, factor, count, sums) = (block.update, block.factor, block.count, block.slot(0))
      block.rewrite { result in
        for index in 0..<count {
          let value = factor * update[index]
          sums[index] += value * value
          result[index] = sums[index] == 0 ? 0 : value / (sums[index].squareRoot() + epsilon)
        }
      }
    }
  }
}
