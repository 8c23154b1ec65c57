import ArgumentParser
import Datasets
import Training

/// Which data set, and where its files are.
struct DatasetOptions: ParsableArguments {
  @Option(help: "fashion-mnist, mnist, cifar10, cifar100 or synthetic (default: fashion-mnist).") var dataset: String?
  @Option(help: "Where the data set's files are; Debian's Fashion-MNIST is found by itself.") var dataDir: String?
  @Option(help: "Images of the synthetic data set, as CxHxW (default: 3x32x32).") var syntheticShape: String?
  @Option(help: "Classes of the synthetic data set (default: 10).") var syntheticClasses: Int?
  @Option(help: "Training images of the synthetic data set (default: 10000).") var syntheticTrain: Int?
  @Option(help: "Test images of the synthetic data set (default: 1000).") var syntheticTest: Int?

  func apply(to recipe: inout Recipe) throws {
    if let dataset {
      recipe.dataset = try known(dataset, flag: "--dataset")
    }
    if let syntheticShape {
      guard let shape = ImageShape(parsing: syntheticShape) else {
        throw invalid("--synthetic-shape \(syntheticShape)", "give channels, height and width as 3x32x32")
      }
      recipe.synthetic.shape = shape
    }
    for (flag, value) in [
      ("classes", syntheticClasses), ("train", syntheticTrain), ("test", syntheticTest),
    ] {
      guard let value else { continue }
      try check(
        (1...Int(Int32.max)).contains(value), "--synthetic-\(flag) \(value)",
        value < 1 ? "give at least 1" : "give at most \(Int32.max)")
    }
    if let syntheticClasses { recipe.synthetic.classCount = syntheticClasses }
    if let syntheticTrain { recipe.synthetic.trainCount = syntheticTrain }
    if let syntheticTest { recipe.synthetic.testCount = syntheticTest }
  }

  /// Refuses what is given here but means nothing for the recipe's data set.
  func checkUse(in recipe: Recipe) throws {
    let setting = "--dataset \(recipe.dataset.rawValue)"
    if recipe.dataset == .synthetic, let dataDir {
      throw invalid("--data-dir \(dataDir) with \(setting)", "give a data set that has files, or leave it out")
    }
    let synthetic: [(Any?, String)] = [
      (syntheticShape, "--synthetic-shape"), (syntheticClasses, "--synthetic-classes"),
      (syntheticTrain, "--synthetic-train"), (syntheticTest, "--synthetic-test"),
    ]
    for (value, flag) in synthetic {
      guard let value, recipe.dataset != .synthetic else { continue }
      throw invalid("\(flag) \(value) with \(setting)", "give --dataset synthetic, or leave it out")
    }
  }
}
