import Collectives
import Determinism
import Engine
import Foundation
import MPI

extension Trainer {
  /// The evaluation set once through the network. Collective.
  ///
  /// The set is cut into blocks of a fixed size; ranks take whole blocks. Correct answers are integers and losses one
  /// float64 a block, added in block order, so the result has the same bits on any number of ranks.
  func evaluate() throws -> EvaluationReport {
    let begin = DispatchTime.now().uptimeNanoseconds
    let blocks = data.evaluationBlocks(recipe)
    let own = part(world.rank, of: world.size, in: blocks.count)
    let (set, normalisation) = (data.evaluation, data.normalisation)
    let sums = try executor.evaluate(parameters: state.parameters.pointer, blocks: Array(blocks[own])) {
      range, images, labels in
      try set.read(range, normalisation: normalisation, images: images, labels: labels)
    }
    var values = [Double](repeating: 0, count: 2 * blocks.count)
    for (block, sum) in zip(own, sums) {
      values[2 * block] = sum.loss
      values[2 * block + 1] = Double(sum.correct)
    }
    let parts = (0..<world.size).map { rank in
      let range = part(rank, of: world.size, in: blocks.count)
      return 2 * range.lowerBound..<2 * range.upperBound
    }
    try values.withUnsafeMutableBufferPointer { try world.allGather(inPlace: $0, parts: parts) }
    var loss = 0.0
    var correct = 0.0
    for block in blocks.indices {
      loss += values[2 * block]
      correct += values[2 * block + 1]
    }
    return EvaluationReport(
      epoch: Double(state.position.step) / Double(plan.stepsPerEpoch), step: state.position.step, correct: Int(correct),
      total: set.count, loss: loss / Double(max(set.count, 1)),
      seconds: Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9, isBest: false)
  }

  /// Stops the run if any rank holds other parameters than the rest. Collective.
  func checkParametersAreEqual(_ when: String) throws {
    let digest = try state.parametersDigest().bytes
    let strangers = try world.ranksThatDiffer(digest)
    if strangers.isEmpty { return }
    try world.agree {
      throw TrainingError(
        .rankFailed,
        "ranks \(strangers.map(String.init).joined(separator: ", ")) hold other parameters than the rest \(when): "
          + "the memory or the processor of their hosts is suspect; run `swift-dp-train doctor` there.")
    }
  }
}
