import Engine
import Networks
import Testing

/// A plan found out beforehand is the executor's own.
@Suite struct ExecutionPlanTests {
  private func configuration() -> Executor.Configuration {
    let network = Network(name: "small", input: .init(3, 12, 12), classes: 5) { images in
      images.convolution("conv1", outputs: 16, .init(3, padding: 1)).relu().maxPool(.init(2, stride: 2))
        .flatten().innerProduct("fc", outputs: 5)
    }
    var configuration = Executor.Configuration(network: network, trainingBatchSizes: [7, 8])
    configuration.evaluationBatchSizes = [10]
    return configuration
  }

  @Test func planningAloneGivesTheExecutorsPlan() throws {
    let plan = try ExecutionPlan(configuration())
    let executor = try Executor(configuration())
    #expect(plan.text == executor.planText && plan.arenaBytes == executor.arenaBytes)
    #expect(plan.parameterLayout.count == executor.parameterLayout.count)
  }

  @Test func withoutTrainingTheLayoutsStay() throws {
    var evaluating = configuration()
    evaluating.trains = false
    let (all, some) = try (ExecutionPlan(configuration()), ExecutionPlan(evaluating))
    #expect(all.parameterLayout.entries.map(\.order) == some.parameterLayout.entries.map(\.order))
    #expect(all.parameterLayout.entries.map(\.range) == some.parameterLayout.entries.map(\.range))
    #expect(some.arenaBytes <= all.arenaBytes && !some.text.contains("training") && all.text.hasSuffix(some.text))
  }
}
