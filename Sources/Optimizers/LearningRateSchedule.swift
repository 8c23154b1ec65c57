import Glibc

/// The learning rate as a function of the global step, and of nothing else.
///
/// With W steps of warm-up, the rate of step t < W is start + (peak − start)·t/W: from `start` by equal increments to the
/// peak at step W (Goyal et al., 2017, section 2.2, for a start at the small batch's rate). From then on the shape rules:
/// over the T = total − W steps that remain for `cosine` and `polynomial`, whereas milestones of `step` count from the
/// beginning of training. From step `total` on, the rate stays the final one; a polynomial may have a T of its own.
public struct LearningRateSchedule: Sendable, Hashable {
  /// What the rate does after the warm-up.
  public enum Shape: Sendable, Hashable {
    /// peak
    case constant
    /// peak · factor^(number of milestones ≤ step)
    case step(milestones: [Int], factor: Double)
    /// final + (peak − final)·(1 + cos πt/T)/2, t from the end of the warm-up (Loshchilov, Hutter, "SGDR", 2017, without
    /// restarts)
    case cosine(final: Double)
    /// final + (peak − final)·(1 − t/T)^power, t from the end of the warm-up; with `decaySteps` that is T, and a rate
    /// that has arrived stays
    case polynomial(power: Double, final: Double, decaySteps: Int? = nil)
  }

  public let peak: Double
  public let shape: Shape
  public let totalSteps: Int
  public let warmupSteps: Int
  public let warmupStart: Double

  /// - Throws: `OptimizerError` for combinations that cannot be meant.
  public init(
    peak: Double, shape: Shape = .constant, totalSteps: Int, warmupSteps: Int = 0, warmupStart: Double = 0
  ) throws(OptimizerError) {
    self.peak = peak
    self.shape = shape
    self.totalSteps = totalSteps
    self.warmupSteps = warmupSteps
    self.warmupStart = warmupStart
    try check()
  }

  /// The learning rate of a global step, from 0. Cost: a few operations.
  public func rate(at step: Int) -> Double {
    precondition(step >= 0, "step \(step)")
    if step < warmupSteps { return warmupStart + (peak - warmupStart) * (Double(step) / Double(warmupSteps)) }
    // How much of the time after the warm-up has passed.
    let progress = step >= totalSteps ? 1 : Double(step - warmupSteps) / Double(totalSteps - warmupSteps)
    switch shape {
    case .constant: return peak
    case .step(let milestones, let factor):
      var rate = peak
      for milestone in milestones where milestone <= step { rate *= factor }
      return rate
    case .cosine(let final): return final + (peak - final) * ((1 + cos(.pi * progress)) / 2)
    case .polynomial(let power, let final, nil): return final + (peak - final) * pow(1 - progress, power)
    case .polynomial(let power, let final, let decaySteps?):
      let progress = min(1, Double(step - warmupSteps) / Double(decaySteps))
      return final + (peak - final) * pow(1 - progress, power)
    }
  }
}

extension LearningRateSchedule {
  private func check() throws(OptimizerError) {
    let positive = "give a positive number"
    try OptimizerError.check(peak > 0 && peak.isFinite, "--learning-rate", peak, positive)
    try OptimizerError.check(
      warmupStart >= 0 && warmupStart <= peak, "--warmup-start", warmupStart,
      "give a rate from 0 to the highest one (\(peak))")
    guard warmupSteps >= 0 && totalSteps >= 0 else {
      throw OptimizerError("--warmup-epochs", "is \(warmupSteps) of \(totalSteps) steps", "give 0 or more")
    }
    switch shape {
    case .constant: break
    case .step(let milestones, let factor):
      try OptimizerError.check(factor > 0 && factor.isFinite, "--step-factor", factor, positive)
      guard !milestones.isEmpty else {
        throw OptimizerError("--schedule step", "has no milestones", "give --milestones 30,60,80, or another schedule")
      }
      guard zip(milestones, milestones.dropFirst()).allSatisfy({ $0 < $1 }), milestones[0] >= warmupSteps else {
        throw OptimizerError(
          "--milestones", "are the steps \(milestones), after a warm-up of \(warmupSteps)",
          "give them in ascending order, none within the warm-up")
      }
    case .cosine(let final), .polynomial(_, let final, _):
      try OptimizerError.check(
        final >= 0 && final <= peak, "--final-learning-rate", final, "give a rate from 0 to the highest one (\(peak))")
      guard warmupSteps < totalSteps || totalSteps == 0 else {
        throw OptimizerError(
          "--warmup-epochs", "takes \(warmupSteps) steps, but the whole run has \(totalSteps)",
          "shorten the warm-up, train longer, or use --schedule constant")
      }
    }
    if case .polynomial(let power, _, let decaySteps) = shape {
      try OptimizerError.check(power > 0 && power.isFinite, "--polynomial-power", power, positive)
      if let decaySteps, decaySteps < 1 {
        throw OptimizerError("--decay-steps", "is \(decaySteps)", "give at least 1, or leave it out")
      }
    }
  }
}
