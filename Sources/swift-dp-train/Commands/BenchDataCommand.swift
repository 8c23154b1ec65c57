import ArgumentParser
import Datasets
import Foundation
import Training

struct BenchDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Time how fast batches are read, augmented and converted for one rank.")

  @OptionGroup var options: DatasetOptions
  @Option(help: "Samples of a batch.") var batchSize = 256
  @Option(help: "Threads that read.") var threads = 1
  @Option(help: "Epochs that count; the best is reported.") var epochs = 3
  @Option(help: "Crop images at random after padding them by so many pixels (0: off).") var randomCrop = 0
  @Flag(help: "Mirror images at random.") var horizontalFlip = false

  func run() throws {
    try checkCount(batchSize, "--batch-size")
    try check((1...256).contains(threads), "--threads \(threads)", "give 1 to 256")
    try checkCount(epochs, "--epochs")
    try check((0...64).contains(randomCrop), "--random-crop \(randomCrop)", "give a padding of 0 to 64 pixels")
    var recipe = try options.recipe()
    recipe.batchSize = batchSize
    let data = try TrainingData(recipe, directory: options.dataDir)
    let plan = data.plan(recipe)
    let maps =
      (randomCrop > 0 ? [ImageMap.randomCrop(padding: randomCrop)] : []) + (horizontalFlip ? [.horizontalFlip] : [])
    let reader = try BatchReader(
      source: data.train, plan: plan, normalisation: data.normalisation,
      augmentation: Augmentation(maps, seed: recipe.seed), shards: 0..<1, of: 1, threads: threads, depth: threads + 2)
    var best = Double.infinity
    for _ in 0..<epochs {
      let begin = DispatchTime.now().uptimeNanoseconds
      for _ in 0..<plan.stepsPerEpoch { _ = try reader.next() }
      best = min(best, Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9)
    }
    let rate = Double(data.train.count) / best
    var facts = Facts()
    facts.add("data", "\(data.name) · \(grouped(data.train.count)) images of \(data.train.shape)")
    facts.add("batch", "\(grouped(batchSize)) · \(count(threads, "thread"))")
    facts.add(
      "rate",
      "\(grouped(Int(rate))) images a second · "
        + "\(decimal(rate * Double(data.train.shape.elementCount) / 1e6, 1)) MB/s of pixels")
    show(facts.lines)
  }
}
