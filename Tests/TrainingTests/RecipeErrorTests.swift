import Testing
import Training

/// Settings that cannot be meant end a job as bad configuration, whichever module finds out.
@Suite struct RecipeErrorTests {
  @Test func anOptimizerThatCannotBeMeantIsBadConfiguration() {
    let changes: [@Sendable (inout Recipe) -> Void] = [
      { $0.momentum = 2 }, { $0.weightDecay = -1 }, { $0.clipNorm = 0 }, { ($0.momentum, $0.nesterov) = (0, true) },
      { ($0.momentum, $0.correctsMomentum) = (0, true) },
    ]
    for (index, change) in changes.enumerated() {
      var recipe = Recipe()
      change(&recipe)
      let error = #expect(throws: TrainingError.self) { try recipe.transformations() }
      #expect(error?.code == .badConfiguration, "change \(index)")
    }
  }
}
