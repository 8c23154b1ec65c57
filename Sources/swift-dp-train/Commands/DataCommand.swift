import ArgumentParser
import Datasets
import Training

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "What a data set holds, and in which order a run sees it.",
    subcommands: [Info.self, Order.self])

  struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Files, shape, numbers and classes of a data set, and its digest.")

    @OptionGroup var options: DatasetOptions

    func run() throws {
      let recipe = try options.recipe()
      let set = try loadDataset(
        named: recipe.dataset.rawValue, directory: options.dataDir, synthetic: recipe.synthetic)
      func list(_ values: [Double]) -> String { values.map { decimal($0, 4) }.joined(separator: " ") }
      var facts = Facts()
      facts.add("name", set.name)
      facts.add("files", set.files.isEmpty ? ["none: made from a seed"] : set.files)
      facts.add("images", "\(set.shape), a byte for each value")
      facts.add("train", grouped(set.train.count))
      facts.add("test", grouped(set.test.count))
      facts.add("mean", "\(list(set.normalisation.mean)), as stated for values scaled to 0…1")
      facts.add("deviation", list(set.normalisation.deviation))
      facts.add("digest", hexadecimal(set.digest))
      facts.add("classes", grouped(set.classCount))

      var table = Table([("label", .trailing), ("class", .leading), ("train", .trailing), ("test", .trailing)])
      let train = set.train.labelCounts(classes: set.classCount)
      let test = set.test.labelCounts(classes: set.classCount)
      for label in 0..<set.classCount {
        table.add(["\(label)", set.classNames?[label] ?? "", grouped(train[label]), grouped(test[label])])
      }
      show(facts.lines + [""] + table.lines)
    }
  }

  struct Order: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "The samples of each global batch and shard of an epoch, by their ids in the data set.",
      discussion: """
        A line for each global batch and shard:

          epoch 0 batch 3 shard 1: 48211 907 …

        It is the order of any run with these settings, on any number of ranks.
        """)

    @OptionGroup var options: DatasetOptions
    @Option(help: "Training images kept for evaluation.") var holdOut = 0
    @Option(help: "Seed of the run.") var seed: UInt64 = 42
    @Option(help: "The epoch, from 0.") var epoch = 0
    @Option(help: "Samples of a global batch.") var batchSize = 256
    @Option(help: "Shards of the run.") var shards = 1
    @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "Permute the training set anew in each epoch.")
    var shuffle = true
    @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "Leave out an epoch's last batch if it is not full.")
    var dropLast = false
    @Option(help: "Print so many global batches (default: all of the epoch).") var batches: Int?

    func run() throws {
      try check(epoch >= 0, "--epoch \(epoch)", "epochs count from 0")
      try check(batchSize > 0, "--batch-size \(batchSize)", "give the samples of a global batch, at least 1")
      try check(shards > 0, "--shards \(shards)", "give at least 1")
      try check(holdOut >= 0, "--hold-out \(holdOut)", "give a number of training images, or 0")
      if let batches { try check(batches > 0, "--batches \(batches)", "give at least 1") }
      var recipe = try options.recipe()
      (recipe.holdOut, recipe.seed, recipe.batchSize) = (holdOut, seed, batchSize)
      (recipe.shuffles, recipe.dropsLast) = (shuffle, dropLast)
      let data = try TrainingData(recipe, directory: options.dataDir)
      let plan = data.plan(recipe)
      let order = plan.order(epoch: epoch)
      var samples: [Int] = []
      for batch in 0..<min(batches ?? .max, plan.stepsPerEpoch) {
        for shard in 0..<shards {
          order.map(plan.positions(step: batch, shard: shard, of: shards), into: &samples)
          let ids = samples.map { " \(data.train.id(of: $0))" }.joined()
          print("epoch \(epoch) batch \(batch) shard \(shard):\(ids)")
        }
      }
    }
  }
}

extension DatasetOptions {
  /// A recipe of this data set.
  /// - Throws: 64 also where what is given means nothing for it.
  func recipe() throws -> Recipe {
    var recipe = Recipe()
    try apply(to: &recipe)
    try checkUse(in: recipe)
    return recipe
  }
}
