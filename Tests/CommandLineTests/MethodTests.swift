import Foundation
import TensorFiles
import TestSupport
import Testing
import Training

/// Local methods: over shards, so that bits depend neither on ranks nor on kills; and what each of them conserves.
@Suite(.serialized) struct MethodTests {
  /// Two epochs of five steps; the last of an epoch has two samples, so that shards have none.
  private static let small =
    synthetic("1x8x8", train: 34, test: 20)
    + ["--model", "cnn", "--batch-size", "8", "--epochs", "2", "--seed", "3", "--learning-rate", "0.02"]
  private static let methods = [
    ["local", "--local-steps", "3"], ["local", "--local-steps", "2", "--local-momentum", "average"],
    ["local", "--local-steps", "2", "--local-after", "0.6"], ["easgd", "--local-steps", "2"], ["stochastic-push"],
    ["stochastic-push", "--push-overlap"],
  ]

  private func train(
    _ arguments: [String], _ launch: Launch, in directory: TemporaryDirectory, _ name: String
  ) throws -> Record {
    try record(Self.small + arguments, launch, in: directory, name)
  }

  @Test(arguments: methods) func bitsDependNeitherOnRanksNorOnWhereARunGoesOn(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let arguments = ["--shards", "4", "--method"] + method
    let whole = try train(arguments + ["--save-every", "1", "--keep", "99"], .alone, in: directory, "run")
    for ranks in [2, 3] {
      let other = try train(arguments, .ranks(ranks), in: directory, "ranks-\(ranks)")
      #expect(other.summary == whole.summary && other.files == whole.files, "\(ranks) ranks")
    }
    for (step, ranks) in [(4, 4), (7, 1)] {
      let rest = try train(
        arguments + ["--resume", "run/checkpoints/step-0000000\(step)"], .ranks(ranks), in: directory, "from-\(step)")
      #expect(rest.summary == whole.summary, "from step \(step) on \(ranks) ranks")
    }
  }

  /// Shards that do not wait for each other hear of a signal, or of the time, where they meet.
  @Test(arguments: [["local", "--local-steps", "7"], ["stochastic-push"]])
  func aJobThatIsStoppedGoesOn(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let arguments =
      synthetic("1x8x8", train: 480, test: 20) + [
        "--model", "mlp", "--batch-size", "6", "--epochs", "1", "--learning-rate", "0.01", "--shards", "3", "--method",
      ] + method
    let stopped = try Launch.ranks(3).run(
      ["train", "--run-dir", "run", "--delay", "random:60", "--stop-after", "1s"] + arguments, in: directory.url)
    #expect(stopped.exitCode == 75, "\(stopped.transcript)")
    var records: [Record] = []
    for (name, ranks) in [("run", 2), ("whole", 3)] {
      let job = try Launch.ranks(ranks).run(["train", "--run-dir", name] + arguments, in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      records.append(try Record(job, directory: directory.url.appendingPathComponent(name)))
    }
    #expect(records[0].summary == records[1].summary)
  }

  /// Models with batch norm, clipping and LARS, which keep statistics and reach further than the element.
  @Test func runningStatisticsAreEachShards() throws {
    let directory = try TemporaryDirectory()
    let arguments =
      synthetic("3x8x8", train: 40, test: 20)
      + [
        "--model", "resnet20-cifar", "--batch-size", "10", "--steps", "6", "--optimizer", "lars", "--clip-norm", "1",
        "--shards", "3", "--method", "local", "--local-steps", "2",
      ]
    var records: [Record] = []
    for ranks in [1, 3] {
      let job = try Launch.ranks(ranks).run(["train", "--run-dir", "r\(ranks)"] + arguments, in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      records.append(try Record(job, directory: directory.url.appendingPathComponent("r\(ranks)")))
    }
    #expect(records[0].summary == records[1].summary)
  }

  /// With H = 1 local SGD is synchronous SGD, to the bit, on ranks with several shards too; as is what it begins with.
  @Test(arguments: [["--optimizer", "lamb"], ["--optimizer", "lars", "--clip-norm", "0.1"]])
  func sumsUpdateAllShardsAlike(_ optimizer: [String]) throws {
    let directory = try TemporaryDirectory()
    let shards = ["--shards", "3"] + optimizer
    let synchronous = try train(shards, .ranks(2), in: directory, "synchronous")
    for (name, method) in [
      ("local", ["local", "--local-steps", "1"]), ("post-local", ["local", "--local-after", "2"]),
      ("easgd", ["easgd", "--local-after", "2"]),
    ] {
      let local = try train(shards + ["--method"] + method, .ranks(2), in: directory, name)
      #expect(local.files["model.safetensors"] == synchronous.files["model.safetensors"], "\(name)")
    }
  }

  /// A run whose shards have parted goes on from their mean where it is told to be synchronous.
  @Test func shardsThatHavePartedCanSumGradients() throws {
    let directory = try TemporaryDirectory()
    let arguments = ["--shards", "3", "--method", "local", "--local-steps"]
    _ = try train(arguments + ["4", "--save-every", "1", "--keep", "99"], .ranks(2), in: directory, "run")
    let resume = ["--resume", "run/checkpoints/step-00000003", "--allow-changed"]
    let two = try train(arguments + ["1"] + resume, .ranks(2), in: directory, "two")
    let three = try train(arguments + ["1"] + resume, .ranks(3), in: directory, "three")
    #expect(two.summary == three.summary)
  }

  /// What is sent for evaluations and saves is no part of a method.
  @Test(arguments: ["local --local-steps 5", "stochastic-push"]) func evaluationsAreNotCounted(_ method: String) throws
  {
    let directory = try TemporaryDirectory()
    let arguments = ["--shards", "4", "--method"] + method.split(separator: " ").map(String.init)
    func bytes(_ name: String, _ further: [String]) throws -> Int {
      _ = try train(arguments + further, .ranks(2), in: directory, name)
      let events = try String(contentsOf: directory.url.appendingPathComponent("\(name)/events.jsonl"), encoding: .utf8)
      return events.matches(of: /"gradient_bytes":(\d+)/).compactMap { Int($0.1) }.max() ?? 0
    }
    let often = try bytes("often", ["--evaluate-every", "1", "--save-every", "1"])
    #expect(try often == bytes("seldom", []) && often > 0)
  }

  /// With H = 1 local SGD is synchronous SGD, to the bit.
  @Test func localStepsOfOneAreSynchronous() throws {
    let directory = try TemporaryDirectory()
    let shards = ["--shards", "3", "--clip-norm", "0.5", "--nesterov"]
    let synchronous = try train(shards, .ranks(2), in: directory, "synchronous")
    let local = try train(
      shards + ["--method", "local", "--local-steps", "1"], .ranks(2), in: directory, "local")
    #expect(local.files["model.safetensors"] == synchronous.files["model.safetensors"])
    // With one shard nobody is to be met.
    let alone = try train(["--shards", "1"], .alone, in: directory, "alone")
    let push = try train(["--shards", "1", "--method", "stochastic-push"], .alone, in: directory, "push")
    #expect(try alone.value("test_correct") == push.value("test_correct"))
    let overlap = try train(
      ["--shards", "1", "--method", "stochastic-push", "--push-overlap"], .alone, in: directory, "overlap")
    #expect(overlap.files["model.safetensors"] == push.files["model.safetensors"])
  }

  /// Where no gradient moves anything: local SGD's run has the mean of its shards, elastic averaging conserves the sum of shards
  /// and center, stochastic push that of shards, with overlap by weight and with what is on its way.
  @Test(arguments: ["local", "easgd", "stochastic-push", "stochastic-push --push-overlap"]) func meetingsConserve(
    _ method: String
  ) throws {
    let directory = try TemporaryDirectory()
    let arguments =
      ["--shards", "3", "--method"] + method.split(separator: " ").map(String.init)
      + (method.contains("push") ? [] : ["--local-steps", "4"])
    _ = try train(arguments + ["--save-every", "1", "--keep", "99"], .ranks(2), in: directory, "run")
    // From step 2 on with a rate that moves nothing: shards have parted by then, and meet after step 4.
    let still = ["--learning-rate", "1e-30", "--schedule", "constant", "--warmup-epochs", "0", "--allow-changed"]
    _ = try train(
      arguments + still + ["--save-every", "1", "--keep", "99", "--resume", "run/checkpoints/step-00000002"],
      .ranks(2), in: directory, "still")
    let before = try StoredVectors(directory, "run/checkpoints/step-00000002", shards: 3)
    let after = try StoredVectors(directory, "still/checkpoints/step-00000004", shards: 3)
    #expect(before.shards[0] != before.shards[1], "shards have parted")
    #expect(before.shards != after.shards, "shards have met")
    switch method {
    case "local":
      #expect(after.shards.allSatisfy { $0 == after.run })
      #expect(distance(sum(before.shards).map { $0 / 3 }, after.run) < 1e-6)
    case "easgd":
      #expect(distance(sum(before.shards + [before.run]), sum(after.shards + [after.run])) < 1e-5)
      #expect(distance(before.run, after.run) > 1e-4)
    case "stochastic-push --push-overlap":
      func all(_ state: StoredVectors, _ step: Int) -> [Float] {
        let weight = Float(DelayedPushWeight.weight(after: step))
        return sum(
          state.shards + state.arriving,
          weights: Array(repeating: weight, count: 3) + Array(repeating: 1 - weight, count: 3))
      }
      #expect(before.arriving[0] != before.shards[0] && before.arriving != after.arriving)
      #expect(distance(all(before, 2), all(after, 4)) < 1e-5)
      #expect(distance(all(after, 4).map { $0 / 3 }, after.run) < 1e-6)
    default:
      #expect(distance(sum(before.shards), sum(after.shards)) < 1e-5)
      #expect(distance(sum(after.shards).map { $0 / 3 }, after.run) < 1e-6)
    }
  }

  @Test func settingsOfOtherMethodsAreRefused() throws {
    let directory = try TemporaryDirectory()
    for (arguments, sentence) in [
      (["--local-steps", "4"], "--local-steps 4 with --method synchronous"),
      (["--method", "easgd", "--local-momentum", "keep"], "--local-momentum keep with --method easgd"),
      (["--method", "local", "--elastic-rate", "0.1"], "--elastic-rate 0.1 with --method local"),
      (["--method", "easgd", "--elastic-rate", "1.5"], "--elastic-rate 1.5"),
      (
        ["--method", "easgd", "--elastic-rate", "0.3", "--shards", "4"],
        "--elastic-rate 0.3 of each of 4 shards moves the center past their mean: give at most 1 ÷ 4."
      ),
      (["--method", "local", "--average-parameters", "0.9"], "--average-parameters 0.9 with --method local"),
      (["--method", "hogwild"], "--method hogwild"),
      (
        ["--method", "local", "--push-overlap"],
        "--push-overlap with --method local cannot be: give --method stochastic-push, or leave it out"
      ),
    ] {
      let job = try Launch.alone.run(["train", "--run-dir", "run"] + Self.small + arguments, in: directory.url)
      #expect(job.exitCode == 64 && job.standardError.contains("error (64): \(sentence)"), "\(job.transcript)")
    }
  }
}
