import Foundation
import Models
import TestSupport
import Testing

/// The same bits of every built-in model on one rank and on two, with kernels chosen by rules and by measuring.
@Suite(.serialized) struct EveryModelBitsTests {
  /// Two shards of small images; a shard's batch fills tiles of Winograd's and blocks of an inner product only in part.
  static func arguments(_ model: ModelName) -> [String] {
    let common = ["--model", model.rawValue, "--seed", "7", "--shards", "2", "--log-every", "1"]
    if model == .vgg16 {
      return common + synthetic("3x224x224", train: 2, test: 1) + ["--batch-size", "2", "--steps", "1"]
    }
    let shape = model.usualInput.channels == 1 ? "1x8x8" : "3x32x32"
    return common + synthetic(shape, train: 10, test: 4) + ["--batch-size", "5", "--steps", "2"]
  }

  /// Those that no case of `EqualBitsTests` has. `LongEqualBitsTests` has all models; those are left to it that take long and have no
  /// operation that others have not: `vgg16`, and the larger of the residual networks.
  static let others: [ModelName] = [.mlp, .resnet20CIFAR, .resnet18, .resnext50, .densenet121, .mobilenetV1]
  static let planned = ModelName.allCases.filter { ![.vgg16, .resnet18, .resnet34, .resnet50].contains($0) }

  @Test(arguments: others) func bitsAreEqual(_ model: ModelName) throws {
    let reference = try record(Self.arguments(model), .alone)
    let other = try record(Self.arguments(model), .ranks(2))
    let difference = other.difference(from: reference)
    #expect(difference == nil, "\(difference ?? "")")
  }

  @Test(arguments: planned)
  func bitsAreEqualWithAPlanFile(_ model: ModelName) throws {
    let temporary = try TemporaryDirectory()
    let directory = temporary.url
    func train(_ launch: Launch, _ plan: String, _ run: String) throws -> Record {
      let job = try launch.run(
        ["train", "--run-dir", run, "--plan", plan] + Self.arguments(model), in: directory, timeLimit: 240)
      try #require(job.exitCode == 0, "\(job.transcript)")
      return try Record(job, directory: directory.appendingPathComponent(run))
    }
    let measured = try train(.alone, "measured", "measured")
    let other = try train(.ranks(2), "measured/plan.json", "other")
    #expect(try other.value("state_sha256") == measured.value("state_sha256"))
    #expect(try other.value("plan") == measured.value("plan"))
    #expect(other.files == measured.files)
  }
}
