import Collectives
import Datasets
import Training
import Testing

/// Micro-batches, the sizes that programs are made for, and the blocks of an evaluation.
@Suite struct BatchSizeTests {
  @Test func microBatchesCutEvenly() {
    var recipe = Recipe()
    var wrong: [String] = []
    for count in 0...24 {
      recipe.microBatchSize = nil
      if recipe.microBatches(count) != (count == 0 ? [] : [count]) { wrong.append("\(count) whole") }
      for most in 1...10 {
        recipe.microBatchSize = most
        let sizes = recipe.microBatches(count)
        let fewest = (count + most - 1) / most
        let isEven = (sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1
        if sizes.reduce(0, +) != count || sizes.count != fewest || !isEven || sizes.contains(0) {
          wrong.append("\(count) by \(most): \(sizes)")
        }
      }
    }
    #expect(wrong == [])
  }

  /// Programs are made for the sizes that steps need: no more, no fewer.
  @Test func programsAreWhatStepsNeed() {
    var wrong: [String] = []
    for samples in 1...14 {
      for batch in 1...15 {
        for shards in 1...6 {
          for micro in [nil, 1, 2, 3] {
            for dropsLast in [false, true] where !dropsLast || samples >= batch {
              var recipe = Recipe()
              recipe.microBatchSize = micro
              let plan = EpochPlan(sampleCount: samples, globalBatchSize: batch, seed: 1, dropsLast: dropsLast)
              var needed = Set<Int>()
              for step in 0..<plan.stepsPerEpoch {
                for shard in 0..<shards {
                  needed.formUnion(recipe.microBatches(plan.positions(step: step, shard: shard, of: shards).count))
                }
              }
              let made = recipe.programSizes(plan, shards: shards)
              if made != needed.sorted(by: >) || made.isEmpty {
                wrong.append("\(samples) by \(batch) on \(shards), \(micro ?? 0): \(made), needed \(needed)")
              }
            }
          }
        }
      }
    }
    #expect(wrong == [])
  }

  /// Without micro-batches there are at most four programs (numerics contract, rule 8).
  @Test func thereAreAtMostFourPrograms() {
    for samples in [1, 99, 1000, 60_000] {
      for batch in [1, 7, 250, 256] {
        for shards in [1, 4, 7, 64] {
          let plan = EpochPlan(sampleCount: samples, globalBatchSize: batch, seed: 1)
          #expect((1...4).contains(Recipe().programSizes(plan, shards: shards).count))
        }
      }
    }
  }

  @Test func evaluationBlocksCoverTheSet() throws {
    for count in [1, 249, 250, 251, 500, 600] {
      var recipe = Recipe()
      recipe.dataset = .synthetic
      recipe.synthetic = SyntheticImages(
        shape: ImageShape(channels: 1, height: 1, width: 1), trainCount: 3, testCount: count)
      let blocks = try TrainingData(recipe, directory: nil).evaluationBlocks(recipe)
      #expect(blocks.flatMap(\.self) == Array(0..<count))
      #expect(blocks.dropLast().allSatisfy { $0.count == 250 } && (1...250).contains(blocks.last?.count ?? 0))
    }
  }

  @Test func whatIsHeldOutIsNotTrained() throws {
    var recipe = Recipe()
    recipe.dataset = .synthetic
    recipe.synthetic = SyntheticImages(trainCount: 30, testCount: 7)
    let all = try TrainingData(recipe, directory: nil)
    #expect(all.train.count == 30 && all.evaluation.count == 7 && !all.evaluatesHeldOut)
    for held in [1, 10, 29] {
      recipe.holdOut = held
      let data = try TrainingData(recipe, directory: nil)
      let ids = [data.train, data.evaluation].map { set in Set((0..<set.count).map { set.id(of: $0) }) }
      #expect(ids[1].count == held && ids[0].isDisjoint(with: ids[1]) && ids[0].union(ids[1]) == Set(0..<30))
    }
    recipe.holdOut = 30
    #expect(throws: TrainingError.self) { try TrainingData(recipe, directory: nil) }
  }
}
