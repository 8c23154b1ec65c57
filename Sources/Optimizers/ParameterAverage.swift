/// An exponential moving average of parameters, for evaluation: Polyak and Juditsky, "Acceleration of stochastic
/// approximation by averaging", 1992, with weights that fall by `decay` a step.
///
/// After step t, from 1, it is Σ decay^(t−i)·wᵢ ÷ Σ decay^(t−i) over the parameters wᵢ after steps i = 1 … t. Dividing by
/// the weights is what Adam does to its means: the first average is the parameters themselves, and where they started
/// never counts. The recursion that gives it is
///
///     average ← (1 − a)·average + a·w,  a = (1 − decay) ÷ (1 − decay^t)
///
/// in float32, element by element, so that slices of any kind give the same bits.
public struct ParameterAverage: Sendable, Hashable {
  /// The name of its slot, the last of an optimizer's.
  public static let slot = "average"

  public let decay: Double

  /// - Throws: `OptimizerError` for a decay that averages nothing or never moves.
  public init(decay: Double) throws(OptimizerError) {
    try OptimizerError.check(
      decay > 0 && decay < 1, "--average-parameters", decay, "give a decay between 0 and 1, as 0.999, or leave it out")
    self.decay = decay
  }

  /// The weight of the parameters that a step ends with.
  public func weight(at step: UpdateStep) -> Float { Float((1 - decay) / (1 - power(decay, step.number + 1))) }
}
