/// Well-known optimizers as chains. Errors name the flags of the command line.
extension [GradientTransformation] {
  /// Stochastic gradient descent with clipping, weight decay and momentum, each left out where its value is 0 or nil.
  ///
  /// Clipping comes before decay, as in PyTorch, where `clip_grad_norm_` sees the gradients alone.
  ///
  /// - Parameter correctingMomentum: the trace holds steps that carry the learning rate and is corrected when that
  ///   changes, in place of a trace of gradients (Goyal et al., 2017, section 3, remark 2): the same mathematics but at a
  ///   rate of 0, rounded otherwise.
  public static func stochasticGradientDescent(
    momentum: Double = 0, nesterov: Bool = false, correctingMomentum: Bool = false, weightDecay: Double = 0,
    clipNorm: Double? = nil
  ) throws(OptimizerError) -> [GradientTransformation] {
    try check(momentum: momentum, nesterov: nesterov, correcting: correctingMomentum)
    try check(weightDecay: weightDecay)
    var chain = try clipped(clipNorm)
    if weightDecay > 0 { chain.append(.addDecayedWeights(weightDecay)) }
    if correctingMomentum {
      return chain + [
        .scaleByLearningRate, .trace(momentum: momentum, nesterov: nesterov, correctingLearningRate: true),
      ]
    }
    if momentum > 0 { chain.append(.trace(momentum: momentum, nesterov: nesterov)) }
    return chain + [.scaleByLearningRate]
  }

  /// Adam with decoupled weight decay (Loshchilov, Hutter, ICLR 2019).
  public static func adamW(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01,
    clipNorm: Double? = nil
  ) throws(OptimizerError) -> [GradientTransformation] {
    try check(beta1: beta1, beta2: beta2, epsilon: epsilon)
    try check(weightDecay: weightDecay)
    return try clipped(clipNorm) + [
      .scaleByAdam(beta1: beta1, beta2: beta2, epsilon: epsilon), .addDecayedWeights(weightDecay), .scaleByLearningRate,
    ]
  }

  /// LARS, in the paper's form as in that of MLPerf's reference: the trace holds steps that carry the learning rate and the
  /// trust ratio of their time. The forms differ in which regions adapt, and in ε, which the paper has not.
  ///
  /// - Parameter correctingMomentum: whether the trace is corrected when the learning rate changes, which neither does.
  public static func lars(
    coefficient: Double = 0.001, momentum: Double = 0.9, nesterov: Bool = false, correctingMomentum: Bool = false,
    weightDecay: Double = 1e-4, epsilon: Double = 0, clipNorm: Double? = nil
  ) throws(OptimizerError) -> [GradientTransformation] {
    try check(momentum: momentum, nesterov: nesterov, correcting: correctingMomentum)
    try check(weightDecay: weightDecay)
    try OptimizerError.check(
      coefficient > 0 && coefficient.isFinite, "--trust-coefficient", coefficient, "give a positive number")
    try OptimizerError.check(epsilon >= 0 && epsilon.isFinite, "--epsilon", epsilon, "give 0 or a positive number")
    var chain = try clipped(clipNorm)
    chain += [.scaleByTrustRatio(coefficient: coefficient, decay: weightDecay, epsilon: epsilon), .scaleByLearningRate]
    if momentum > 0 {
      chain.append(.trace(momentum: momentum, nesterov: nesterov, correctingLearningRate: correctingMomentum))
    }
    return chain
  }

  /// LAMB (You et al., ICLR 2020, algorithm 2, φ = identity).
  public static func lamb(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-6, weightDecay: Double = 0.01,
    clipNorm: Double? = nil
  ) throws(OptimizerError) -> [GradientTransformation] {
    try check(beta1: beta1, beta2: beta2, epsilon: epsilon)
    try check(weightDecay: weightDecay)
    return try clipped(clipNorm) + [
      .scaleByAdam(beta1: beta1, beta2: beta2, epsilon: epsilon), .addDecayedWeights(weightDecay), .scaleByTrustRatio(),
      .scaleByLearningRate,
    ]
  }

  /// Adagrad, with weight decay added to the gradient as in PyTorch.
  public static func adagrad(
    epsilon: Double = 1e-10, weightDecay: Double = 0, clipNorm: Double? = nil
  ) throws(OptimizerError) -> [GradientTransformation] {
    try OptimizerError.check(epsilon >= 0 && epsilon.isFinite, "--epsilon", epsilon, "give 0 or a positive number")
    try check(weightDecay: weightDecay)
    var chain = try clipped(clipNorm)
    if weightDecay > 0 { chain.append(.addDecayedWeights(weightDecay)) }
    return chain + [.scaleByAdagrad(epsilon: epsilon), .scaleByLearningRate]
  }

  // MARK: settings

  private static func clipped(_ norm: Double?) throws(OptimizerError) -> [GradientTransformation] {
    guard let norm else { return [] }
    try OptimizerError.check(norm > 0 && norm.isFinite, "--clip-norm", norm, "give a positive number")
    return [.clipByGlobalNorm(norm)]
  }

  private static func check(momentum: Double, nesterov: Bool, correcting: Bool) throws(OptimizerError) {
    try OptimizerError.check(
      momentum >= 0 && momentum < 1, "--momentum", momentum, "give a number from 0 up to, but not including, 1")
    guard !nesterov || momentum > 0 else {
      throw OptimizerError("--nesterov", "is given without momentum", "give --momentum 0.9, or leave --nesterov out")
    }
    guard !correcting || momentum > 0 else {
      throw OptimizerError(
        "--momentum-correction", "is given without momentum", "give --momentum 0.9, or leave --momentum-correction out")
    }
  }

  private static func check(weightDecay: Double) throws(OptimizerError) {
    try OptimizerError.check(
      weightDecay >= 0 && weightDecay.isFinite, "--weight-decay", weightDecay, "give 0 or a positive number")
  }

  private static func check(beta1: Double, beta2: Double, epsilon: Double) throws(OptimizerError) {
    for (flag, beta) in [("--beta1", beta1), ("--beta2", beta2)] {
      try OptimizerError.check(
        beta >= 0 && beta < 1, flag, beta, "give a number from 0 up to, but not including, 1")
    }
    try OptimizerError.check(epsilon > 0 && epsilon.isFinite, "--epsilon", epsilon, "give a positive number")
  }
}
