import Collectives
import Foundation
import TestSupport
import Testing

/// The same bits on any number of ranks, bound or not, under a launcher or without: digests, every loss, accuracy and
/// norm, and the files.
@Suite(.serialized) struct EqualBitsTests {
  struct Case: Sendable, CustomStringConvertible {
    let name: String
    let arguments: [String]
    let launches: [Launch]
    var description: String { name }

    init(_ name: String, shards: Int, _ launches: [Launch], _ data: [String], _ options: String) {
      self.name = name
      self.launches = launches
      arguments =
        ["--seed", "7", "--shards", "\(shards)", "--log-every", "1"] + data
        + options.split(separator: " ").map(String.init)
    }
  }

  static let cases = [
    // Three steps to an epoch, the last of 30 samples; evaluation in blocks of 250, 250 and 100.
    Case(
      "lenet5", shards: 4, [.usual(1), .bound(1), .usual(2), .ranks(3), .bound(4)],
      synthetic("1x12x12", train: 130, test: 600), "--model lenet5 --batch-size 50 --epochs 1"),
    Case(
      "cnn", shards: 4, [.ranks(1), .ranks(2), .bound(3), .ranks(4)], synthetic("1x8x8", train: 60, test: 40),
      "--model cnn --batch-size 20 --steps 3"),
    Case(
      "a last batch smaller than S", shards: 5, [2, 3, 5].map(Launch.ranks), synthetic("1x6x6", train: 27, test: 600),
      "--model mlp --batch-size 12 --epochs 2 --bucket-size 64KiB"),
    Case(
      "batches smaller than S", shards: 7, [1, 2, 3, 5, 7].map(Launch.ranks), synthetic("1x6x6", train: 10, test: 20),
      "--model mlp --batch-size 4 --epochs 2"),
    Case(
      "resnet18-cifar, dropout, augmentation", shards: 4, [.bound(3), .ranks(4)],
      synthetic("3x8x8", train: 23, test: 20),
      "--model resnet18-cifar --dropout 0.1 --batch-size 10 --epochs 1 --random-crop 2 --horizontal-flip"),
    Case(
      "batch norm with empty shards", shards: 7, [.ranks(3)], synthetic("3x8x8", train: 5, test: 20),
      "--model resnet20-cifar --batch-size 5 --steps 2"),
    Case(
      "depthwise convolutions, ReLU6", shards: 3, [.ranks(2)], synthetic("3x8x8", train: 12, test: 10),
      "--model mobilenet-v2 --batch-size 6 --steps 2"),
    Case(
      "split and shuffled channels", shards: 3, [.ranks(2)], synthetic("3x8x8", train: 12, test: 10),
      "--model shufflenet-v2 --dropout 0.1 --batch-size 6 --steps 2"),
    Case(
      "micro-batches, clipping, smoothing, held out", shards: 7, [3, 7].map(Launch.ranks),
      synthetic("1x12x12", train: 100, test: 20),
      "--model lenet5 --batch-size 31 --epochs 2 --micro-batch-size 2 --clip-norm 0.5 --label-smoothing 0.1 "
        + "--hold-out 20 --nesterov --warmup-epochs 0.5 --schedule polynomial --decay-all --dropout 0.2"),
    Case(
      "large batches: averages, LARS, momentum correction", shards: 3, [2, 3].map(Launch.ranks),
      synthetic("3x8x8", train: 40, test: 30),
      "--model resnet20-cifar --batch-size 16 --epochs 2 --micro-batch-size 3 --optimizer lars --momentum-correction "
        + "--nesterov --scale-lr sqrt --warmup-start reference --warmup-epochs 1 --schedule polynomial --decay-steps mlperf "
        + "--final-learning-rate 1e-4 --average-parameters 0.9 --zero-init-residual"),
    Case(
      "bf16", shards: 4, [.bound(2), .ranks(4)], synthetic("1x28x28", train: 50, test: 30),
      "--model cnn --batch-size 20 --steps 3 --precision bf16"),
    Case(
      "bf16, residual blocks, dropout", shards: 3, [.ranks(2)], synthetic("3x8x8", train: 23, test: 20),
      "--model resnet18-cifar --dropout 0.1 --batch-size 10 --steps 2 --precision bf16"),
    Case(
      "two threads a shard", shards: 3, [.bound(1), .ranks(2), .ranks(3)],
      synthetic("1x12x12", train: 60, test: 40),
      "--model lenet5 --batch-size 30 --steps 3 --threads-per-shard 2 --schedule step --milestones 1st,2st"),
  ]

  @Test(arguments: cases) func bitsAreEqual(_ example: Case) throws {
    let reference = try record(example.arguments, .alone)
    for launch in example.launches {
      let other = try record(example.arguments, launch)
      let difference = other.difference(from: reference)
      #expect(difference == nil, "\(launch): \(difference ?? "")")
    }
  }

  /// How ranks of a node share their work: every way gives the bits of one rank that shares nothing.
  @Test func sharingChangesNoBit() throws {
    let settings = [
      "--model lenet5 --batch-size 12 --epochs 1 --clip-norm 0.5 --bucket-size 16KiB",
      "--model lenet5 --batch-size 12 --epochs 1 --clip-norm 0.5 --bucket-size 1KiB --optimizer lars --nesterov",
      "--model resnet20-cifar --batch-size 10 --steps 4 --average-parameters 0.8 --bucket-size 64KiB --zero-init-residual",
      "--model lenet5 --batch-size 12 --steps 4 --optimizer lars --lars-form paper --average-parameters 0.8",
      "--model mlp --batch-size 12 --epochs 1 --optimizer lamb --all-reduce halving-doubling --bucket-size 64KiB",
      "--model resnet20-cifar --batch-size 10 --steps 3 --nesterov --bucket-size 1MiB",
      "--model mlp --batch-size 11 --steps 4 --micro-batch-size 2 --bucket-size 4KiB",
    ]
    let base = (synthetic("1x28x28", train: 40, test: 20) + ["--shards", "3"]).joined(separator: " ")
    let reference = try records(settings, over: base, .alone)
    for (ranks, sharing) in [
      (2, "--transport messages"), (3, "--transport shared-memory"),
      (2, "--transport shared-memory --update replicated"),
      (3, "--transport messages --overlap on"), (2, "--transport shared-memory --overlap on"),
    ] {
      let others = try records(settings, over: base, .ranks(ranks), sharing)
      for (index, text) in settings.enumerated() {
        let difference = others[index].difference(from: reference[index])
        #expect(difference == nil, "\(text), \(sharing), \(ranks) ranks: \(difference ?? "")")
      }
    }
  }

  /// Each strategy, the basic ones with buckets of three sizes, has bits of its own that no number of ranks changes.
  @Test func everyStrategyKeepsTheBits() throws {
    let settings = AllReduceAlgorithm.allCases.filter(\.isReproducible).flatMap { algorithm in
      ([.ring, .halvingDoubling, .auto].contains(algorithm) ? ["1KiB", "24KiB", "4MiB"] : ["24KiB"])
        .map { "--all-reduce \(algorithm.rawValue) --bucket-size \($0)" }
    }
    let base =
      synthetic("1x12x12", train: 40, test: 20).joined(separator: " ")
      + " --model lenet5 --shards 5 --batch-size 20 --steps 3 --clip-norm 0.5"
    let reference = try records(settings, over: base, .alone)
    for (ranks, sharing) in [(2, "messages"), (3, "shared-memory"), (5, "messages")] {
      let others = try records(settings, over: base, .ranks(ranks), "--overlap on --transport \(sharing)")
      for (index, text) in settings.enumerated() {
        let difference = others[index].difference(from: reference[index])
        #expect(difference == nil, "\(text), \(ranks) ranks, \(sharing): \(difference ?? "")")
      }
    }
  }

  /// Trains with each of the settings, all in one job, and reads what is left of them.
  ///
  /// - Parameters:
  ///   - base: flags of `train` for all of them.
  ///   - options: flags of `compare`.
  private func records(
    _ settings: [String], over base: String, _ launch: Launch, _ options: String = ""
  ) throws -> [Record] {
    func lines(_ flags: String) -> String {
      let words = flags.split(separator: " ")
      return words.indices.filter { words[$0].hasPrefix("--") }.map { index in
        let isAlone = index + 1 == words.count || words[index + 1].hasPrefix("--")
        return "    \(words[index].dropFirst(2)): \(isAlone ? "true" : words[index + 1])\n"
      }.joined()
    }
    let directory = try TemporaryDirectory()
    let runs = settings.enumerated().map { "  run-\($0):\n\(lines($1))" }.joined()
    let file = directory.url.appendingPathComponent("runs.yaml")
    try Data("base:\n\(lines(base))runs:\n\(runs)".utf8).write(to: file)
    let job = try launch.run(
      ["compare", "runs.yaml", "--out", "out", "--seeds", "7", "--log-every", "1"]
        + options.split(separator: " ").map(String.init), in: directory.url, timeLimit: 240)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return try settings.indices.map {
      try Record(job, directory: directory.url.appendingPathComponent("out/runs/run-\($0)-seed7"))
    }
  }

  @Test func anotherSeedGivesOtherBits() throws {
    let arguments = synthetic("1x6x6", train: 20, test: 20) + ["--model", "mlp", "--batch-size", "10", "--steps", "2"]
    let records = try ["1", "2"].map { try record(arguments + ["--seed", $0], .alone) }
    for key in ["parameters_sha256", "state_sha256"] {
      #expect(try records[0].value(key) != records[1].value(key), "\(key)")
    }
  }

  /// Rounding aside it is the same sum.
  @Test func nativeIsTheSameToRounding() throws {
    let arguments =
      synthetic("1x6x6", train: 40, test: 20)
      + ["--model", "mlp", "--shards", "3", "--batch-size", "10", "--steps", "4", "--learning-rate", "0.01"]
    let ring = try record(arguments, .alone)
    let native = try record(arguments + ["--all-reduce", "native"], .ranks(3))
    let losses = try [ring, native].map { try #require(Double($0.value("final_train_loss"))) }
    #expect(abs(losses[0] - losses[1]) <= 1e-4 * losses[0], "\(losses)")
  }
}
