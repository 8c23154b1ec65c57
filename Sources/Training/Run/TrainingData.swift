import Datasets
import Determinism
import Models
import Networks

/// What a run trains on and is evaluated on.
public struct TrainingData: Sendable {
  public let name: String
  public let classCount: Int
  public let normalisation: Normalisation
  public let train: ImageSet
  /// The test set, or the held-out part of the training set.
  public let evaluation: ImageSet
  public let evaluatesHeldOut: Bool
  /// Which data this was: training and test images and labels.
  public let digest: UInt64

  /// Loads the recipe's data set.
  /// - Throws: 65 for files that are missing or damaged, 64 where so many samples cannot be held out.
  public init(_ recipe: Recipe, directory: String?, observe: @escaping ReadingObserver = { _ in }) throws {
    let dataset = try classifying {
      try loadDataset(
        named: recipe.dataset.rawValue, directory: directory, synthetic: recipe.synthetic, observe: observe)
    }
    name = dataset.name
    classCount = dataset.classCount
    normalisation = dataset.normalisation
    digest = dataset.digest
    evaluatesHeldOut = recipe.holdOut > 0
    if evaluatesHeldOut {
      guard recipe.holdOut < dataset.train.count else {
        throw TrainingError(
          .badConfiguration,
          "--hold-out \(recipe.holdOut) leaves none of \(dataset.train.count) training samples; "
            + "give at most \(dataset.train.count - 1).")
      }
      (train, evaluation) = try classifying { try dataset.split(holdOut: recipe.holdOut) }
    } else {
      (train, evaluation) = (dataset.train, dataset.test)
    }
  }

  public var extents: Network.ImageExtents {
    Network.ImageExtents(train.shape.channels, train.shape.height, train.shape.width)
  }

  /// The recipe's model for these images.
  package func network(_ recipe: Recipe) -> Network {
    recipe.model.network(input: extents, classes: classCount, dropout: recipe.dropout)
  }

  public func plan(_ recipe: Recipe) -> EpochPlan {
    EpochPlan(
      sampleCount: train.count, globalBatchSize: recipe.batchSize, seed: recipe.seed, shuffles: recipe.shuffles,
      dropsLast: recipe.dropsLast)
  }

  /// The blocks of the evaluation set, of a fixed size from the recipe whatever the number of ranks.
  package func evaluationBlocks(_ recipe: Recipe) -> [Range<Int>] {
    stride(from: 0, to: evaluation.count, by: recipe.evaluationBlock).map {
      $0..<min($0 + recipe.evaluationBlock, evaluation.count)
    }
  }
}

extension Recipe {
  /// The batch sizes that programs are made for: those of the micro-batches of every size a shard's batch has.
  package func programSizes(_ plan: EpochPlan, shards: Int) -> [Int] {
    let sizes = Set(plan.shardBatchSizes(of: shards).flatMap(microBatches))
    return sizes.sorted(by: >)
  }
}
