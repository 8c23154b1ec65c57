import Foundation
import Models
import TestSupport
import Testing

/// The same bits over hundreds of steps of real training, and of every model. It takes more than an hour on two
/// cores, so it runs when asked for:
///
///     SWIFT_DP_TRAIN_LONG_TESTS=1 launch/test --filter LongEqualBitsTests
@Suite(
  .serialized,
  .enabled(
    if: ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_LONG_TESTS"] == "1",
    "takes more than an hour; set SWIFT_DP_TRAIN_LONG_TESTS=1"))
struct LongEqualBitsTests {
  static let everywhere = [1, 2, 3, 4].flatMap { [Launch.ranks($0), Launch.bound($0)] }

  static let cases = [
    EqualBitsTests.Case(
      "lenet5 on Fashion-MNIST", shards: 4, everywhere, [], "--model lenet5 --steps 200 --batch-size 250"),
    EqualBitsTests.Case("mlp on Fashion-MNIST", shards: 4, everywhere, [], "--model mlp --steps 200 --batch-size 250"),
    EqualBitsTests.Case(
      "cnn on Fashion-MNIST", shards: 4, (1...4).map(Launch.ranks), [], "--model cnn --steps 200 --batch-size 250"),
    EqualBitsTests.Case(
      "resnet18-cifar", shards: 4, (1...4).map(Launch.ranks), synthetic("3x32x32", train: 1000, test: 500),
      "--model resnet18-cifar --dropout 0.1 --steps 20 --batch-size 64"),
    EqualBitsTests.Case(
      "an epoch of Fashion-MNIST in five shards", shards: 5, (1...5).map(Launch.ranks), [],
      "--model mlp --epochs 1 --batch-size 256"),
    EqualBitsTests.Case(
      "an epoch of Fashion-MNIST in seven shards", shards: 7, (1...7).map(Launch.ranks), [],
      "--model mlp --epochs 1 --batch-size 256"),
  ]

  @Test(arguments: cases) func bitsAreEqual(_ example: EqualBitsTests.Case) throws {
    let reference = try record(example.arguments, .alone, timeLimit: 3600)
    print("\(example.name), no launcher: \(reference.summary)")
    for launch in example.launches {
      let other = try record(example.arguments, launch, timeLimit: 3600)
      let difference = other.difference(from: reference)
      #expect(difference == nil, "\(launch): \(difference ?? "")")
      print("\(example.name), \(launch): \(difference ?? "the same bits")")
    }
  }

  /// Twenty steps of every model in three shards, with kernels chosen by rules and by measuring.
  @Test(arguments: ModelName.allCases) func bitsOfEveryModelAreEqual(_ model: ModelName) throws {
    let temporary = try TemporaryDirectory()
    let directory = temporary.url
    let data =
      model == .vgg16
      ? synthetic("3x224x224", train: 60, test: 2) + ["--batch-size", "3"]
      : synthetic(model.usualInput.channels == 1 ? "1x28x28" : "3x64x64", train: 260, test: 10) + [
        "--batch-size", "13",
      ]
    func state(_ launch: Launch, _ plan: String, _ run: String) throws -> [String] {
      let path = directory.appendingPathComponent(run)
      let job = try launch.run(
        ["train", "--model", model.rawValue, "--shards", "3", "--steps", "20", "--plan", plan, "--run-dir", run] + data,
        in: directory, timeLimit: 3600)
      try #require(job.exitCode == 0, "\(job.transcript)")
      let record = try Record(job, directory: path)
      for file in try FileManager.default.contentsOfDirectory(atPath: path.path) where file != "plan.json" {
        try FileManager.default.removeItem(at: path.appendingPathComponent(file))
      }
      return try ["state_sha256", "plan", "final_train_loss", "test_correct"].map { try record.value($0) }
    }
    let rules = try state(.alone, "rules", "alone")
    for ranks in 1...3 {
      #expect(try state(.ranks(ranks), "rules", "rules-\(ranks)") == rules, "\(ranks) ranks")
    }
    let measured = try state(.alone, "measured", "measured")
    for ranks in 1...3 {
      #expect(try state(.ranks(ranks), "measured/plan.json", "file-\(ranks)") == measured, "\(ranks) ranks, plan file")
    }
    print("\(model.rawValue): \(rules[0]) by rules, \(measured[0]) measured, the same on 1, 2 and 3 ranks")
  }
}
