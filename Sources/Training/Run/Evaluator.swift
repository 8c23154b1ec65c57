import Collectives
import Determinism
import Engine
import MPI

/// The evaluation set once through the network, over all ranks.
///
/// The set is cut into blocks of a fixed size; ranks take whole blocks. Correct answers are integers and losses one
/// float64 a block, added in block order, so the result has the same bits on any number of ranks.
struct Evaluator {
  let world: Communicator
  let recipe: Recipe
  let data: TrainingData
  let executor: Executor
  /// Told before it waits for the other ranks.
  var waits: () -> Void = {}

  /// Σ over the set of losses and of correct answers. Collective.
  ///
  /// - Parameter parameters: a flat vector in the executor's layout, equal on all ranks.
  func run(_ parameters: UnsafePointer<Float>) throws -> LossSums {
    let blocks = data.evaluationBlocks(recipe)
    let own = part(world.rank, of: world.size, in: blocks.count)
    let (set, normalisation) = (data.evaluation, data.normalisation)
    let sums = try executor.evaluate(parameters: parameters, blocks: Array(blocks[own])) { range, images, labels in
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
    waits()
    try values.withUnsafeMutableBufferPointer { try world.allGather(inPlace: $0, parts: parts) }
    var total = LossSums()
    for block in blocks.indices {
      total.loss += values[2 * block]
      total.correct += Int(values[2 * block + 1])
    }
    return total
  }
}
