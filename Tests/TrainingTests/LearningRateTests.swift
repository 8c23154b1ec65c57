import Optimizers
import Testing
import Training

/// Learning rates that follow from the batch, and warm-ups to them.
@Suite struct LearningRateTests {
  private func recipe(_ change: (inout Recipe) -> Void) -> Recipe {
    var recipe = Recipe()
    recipe.learningRate = 0.1
    recipe.batchSize = 8192
    recipe.length = .epochs(90)
    recipe.schedule = .constant
    change(&recipe)
    return recipe
  }

  @Test func theRateIsScaledFromTheReferenceBatch() {
    #expect(recipe { _ in }.peakLearningRate == 0.1)
    #expect(recipe { $0.learningRateScaling = .linear }.peakLearningRate == 0.1 * 32)
    #expect(recipe { $0.learningRateScaling = .sqrt }.peakLearningRate == 0.1 * 32.0.squareRoot())
    #expect(
      recipe { ($0.learningRateScaling, $0.referenceBatchSize) = (.linear, 8192) }.peakLearningRate == 0.1)
    #expect(
      recipe { ($0.learningRateScaling, $0.referenceBatchSize) = (.linear, 16384) }.peakLearningRate == 0.05)
  }

  /// Goyal et al., section 2.2: from the small batch's rate by a constant increment each step.
  @Test func theWarmUpRisesFromTheReferenceRateByEqualIncrements() throws {
    let rates = try recipe {
      ($0.learningRateScaling, $0.warmupStart, $0.warmupEpochs) = (.linear, .reference, 5)
    }.learningRates(stepsPerEpoch: 157)
    #expect(rates.rate(at: 0) == 0.1 && rates.rate(at: 785) == 0.1 * 32 && rates.rate(at: 2000) == 0.1 * 32)
    for step in 0..<785 {
      #expect(abs(rates.rate(at: step + 1) - rates.rate(at: step) - 3.1 / 785) < 1e-14, "step \(step)")
    }
  }

  @Test func warmUpsThatStartElsewhere() throws {
    let zero = try recipe { $0.warmupEpochs = 1 }.learningRates(stepsPerEpoch: 10)
    #expect(zero.rate(at: 0) == 0 && zero.rate(at: 5) == 0.05 && zero.rate(at: 10) == 0.1)
    let number = try recipe { ($0.warmupEpochs, $0.warmupStart) = (1, .rate(0.05)) }.learningRates(stepsPerEpoch: 10)
    #expect(number.rate(at: 0) == 0.05 && number.rate(at: 10) == 0.1)
    // A batch below the reference has nothing to rise from.
    let small = try recipe {
      ($0.learningRateScaling, $0.referenceBatchSize, $0.warmupStart) = (.linear, 16384, .reference)
    }.learningRates(stepsPerEpoch: 10)
    #expect(small.rate(at: 0) == 0.05)
    let above = #expect(throws: TrainingError.self) {
      do {
        _ = try recipe { $0.warmupStart = .rate(0.2) }.learningRates(stepsPerEpoch: 10)
      } catch { throw TrainingError(error) }
    }
    #expect(above?.code == .badConfiguration)
  }

  /// MLPerf's reference: T = steps − warm-up + 1.
  @Test func decaySteps() throws {
    func rates(_ steps: Recipe.DecaySteps) throws -> LearningRateSchedule {
      try recipe {
        ($0.schedule, $0.polynomialPower, $0.length, $0.warmupEpochs) = (.polynomial, 1, .steps(11), 0.1)
        $0.decaySteps = steps
      }.learningRates(stepsPerEpoch: 10)
    }
    #expect(try rates(.remaining).rate(at: 6) == 0.05 && rates(.remaining).rate(at: 11) == 0)
    #expect(try rates(.mlperf) == rates(.steps(11)))
    #expect(abs(try rates(.mlperf).rate(at: 11) - 0.1 / 11) < 1e-15)
    #expect(try rates(.steps(5)).rate(at: 6) == 0)
  }

  /// What is written is read.
  @Test func textsOfSettings() {
    #expect(Recipe.WarmupStart("reference") == .reference && Recipe.WarmupStart("0.1") == .rate(0.1))
    #expect(Recipe.WarmupStart("small") == nil)
    for start in [Recipe.WarmupStart.reference, .rate(0), .rate(0.1)] {
      #expect(Recipe.WarmupStart(start.description) == start)
    }
    #expect(
      Recipe.DecaySteps("mlperf") == .mlperf && Recipe.DecaySteps("7") == .steps(7) && Recipe.DecaySteps("") == nil)
  }
}
