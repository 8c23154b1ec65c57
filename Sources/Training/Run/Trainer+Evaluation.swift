import Collectives
import Foundation
import MPI

extension Trainer {
  /// Puts what is evaluated and saved into the run's parameters, once after a step. Collective.
  func settle() throws {
    guard settledStep != state.position.step else { return }
    try method.settle(after: state.position.step)
    settledStep = state.position.step
  }

  /// The evaluation set once through the network. Collective.
  func evaluate() throws -> EvaluationReport {
    let begin = DispatchTime.now().uptimeNanoseconds
    try settle()
    activity.enter(.evaluating)
    var evaluator = Evaluator(world: world, recipe: recipe, data: data, executor: executor)
    evaluator.waits = { [activity] in activity.enter(.gatheringEvaluations) }
    let sums = try evaluator.run(state.evaluated.pointer)
    enter(nil)
    let total = data.evaluation.count
    return EvaluationReport(
      epoch: Double(state.position.step) / Double(plan.stepsPerEpoch), step: state.position.step,
      correct: sums.correct, total: total, loss: sums.loss / Double(max(total, 1)),
      seconds: Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9, isBest: false)
  }

  /// Stops the run if any rank holds other parameters than the rest. Collective.
  func checkParametersAreEqual(_ when: String) throws {
    let digest = try state.trainedDigest().bytes
    activity.enter(.comparing)
    let strangers = try world.ranksThatDiffer(digest)
    enter(nil)
    if strangers.isEmpty { return }
    try world.agree {
      throw TrainingError(
        .rankFailed,
        "ranks \(strangers.map(String.init).joined(separator: ", ")) hold other parameters than the rest \(when): "
          + "the memory or the processor of their hosts is suspect; run `swift-dp-train doctor` there.")
    }
  }
}
