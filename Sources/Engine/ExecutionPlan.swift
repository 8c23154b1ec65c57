import Networks

/// What an executor would do and need, found out without generating code or taking memory.
public struct ExecutionPlan: Sendable {
  public let parameterLayout: ParameterLayout
  /// As the executor's `planText`.
  public let text: String
  /// Bytes of one worker's arena.
  public let arenaBytes: Int

  public init(_ configuration: Executor.Configuration) throws {
    let result = Box<ExecutionPlan>()
    // On a thread with a worker's team, whose size kernels depend on.
    try WorkerPool(count: 1, threadsPerWorker: configuration.threadsPerShard).run(jobs: 1) { _, _ in
      let layout = try configuration.chooseParameterLayout()
      let plans = try Worker.plans(
        configuration, layout, training: configuration.trainingPrograms, evaluation: configuration.evaluationPrograms)
      result.value = ExecutionPlan(
        parameterLayout: layout, text: Worker.text(plans), arenaBytes: plans.map(\.plan.arenaBytes).max() ?? 0)
    }
    guard let plan = result.value else { preconditionFailure("a job that did not run") }
    self = plan
  }

  private init(parameterLayout: ParameterLayout, text: String, arenaBytes: Int) {
    (self.parameterLayout, self.text, self.arenaBytes) = (parameterLayout, text, arenaBytes)
  }
}

extension Executor.Configuration {
  /// Batch sizes of the training programs, largest first.
  var trainingPrograms: [Int] { trains ? Set(trainingBatchSizes).sorted(by: >) : [] }

  var evaluationPrograms: [Int] { Set(evaluationBatchSizes).sorted(by: >) }

  /// Parameter layouts are chosen by the largest training batch (numerics contract, rule 8).
  func chooseParameterLayout() throws -> ParameterLayout {
    guard let largest = trainingBatchSizes.max() else { preconditionFailure("no training batch size") }
    let graph = network.traced(batchSize: largest).training(labelSmoothing: labelSmoothing)
    return try Planner.parameterLayout(for: graph, choice: kernelChoice)
  }
}
