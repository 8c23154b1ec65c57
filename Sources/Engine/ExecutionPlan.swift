import CKernels
import Determinism
import Networks

/// What an executor would do and need, found out without generating code or taking memory.
public struct ExecutionPlan: Sendable {
  public let parameterLayout: ParameterLayout
  /// As the executor's `planText`.
  public let text: String
  /// Bytes of one worker's arena.
  public let arenaBytes: Int
  /// The convolutions by Winograd's algorithm, each shape once for each pass, in the order of the first program.
  package let winogradPasses: [WinogradPass]

  package struct WinogradPass {
    package let pass: ck_pass
    package let shape: ck_winograd
  }

  public init(_ configuration: Executor.Configuration) throws {
    let result = Box<ExecutionPlan>()
    // On a thread with a worker's team, whose size kernels depend on.
    try WorkerPool(count: 1, threadsPerWorker: configuration.threadsPerShard).run(jobs: 1) { _, _ in
      let layout = try configuration.chooseParameterLayout()
      let plans = try Worker.plans(
        configuration, layout, training: configuration.trainingPrograms, evaluation: configuration.evaluationPrograms)
      result.value = ExecutionPlan(parameterLayout: layout, plans)
    }
    guard let plan = result.value else { preconditionFailure("a job that did not run") }
    self = plan
  }

  private init(parameterLayout: ParameterLayout, _ plans: Worker.Plans) {
    self.parameterLayout = parameterLayout
    text = Worker.text(plans)
    arenaBytes = plans.map(\.plan.arenaBytes).max() ?? 0
    var seen: Set<String> = []
    winogradPasses = plans.flatMap(\.plan.steps).compactMap { step in
      guard case .own(let kernel, _) = step.instruction, let convolution = kernel as? WinogradConvolution,
        seen.insert("\(convolution.pass) \(convolution.shape)").inserted
      else { return nil }
      return WinogradPass(pass: convolution.pass, shape: convolution.shape)
    }
  }
}

extension Executor.Configuration {
  /// Batch sizes of the training programs, largest first.
  var trainingPrograms: [Int] { trains ? Set(trainingBatchSizes).sorted(by: >) : [] }

  var evaluationPrograms: [Int] { Set(evaluationBatchSizes.flatMap(evaluationParts)).sorted(by: >) }

  /// The sizes of the parts in which a block is evaluated: no larger than the largest training batch, so that evaluation
  /// needs no more memory than training, but of 16 samples at least, which kernels want to be fast.
  func evaluationParts(of block: Int) -> [Int] {
    let most = max(trainingBatchSizes.max() ?? 0, 16)
    let parts = (block + most - 1) / most
    return (0..<parts).map { part($0, of: parts, in: block).count }
  }

  /// Parameter layouts are chosen by the largest training batch (numerics contract, rule 8).
  func chooseParameterLayout() throws -> ParameterLayout {
    guard let largest = trainingBatchSizes.max() else { preconditionFailure("no training batch size") }
    let graph = network.traced(batchSize: largest).training(labelSmoothing: labelSmoothing)
    return try Planner.parameterLayout(for: graph, choice: kernelChoice)
  }
}
