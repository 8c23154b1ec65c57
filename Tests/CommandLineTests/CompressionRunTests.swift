import Foundation
import TestSupport
import Testing

/// Runs whose gradients are compressed: codecs over shards, so that bits depend neither on ranks nor on kills.
@Suite(.serialized) struct CompressionRunTests {
  /// Two epochs of five steps; the last of an epoch has two samples, so that shards have none.
  private static let small =
    synthetic("1x8x8", train: 34, test: 20)
    + ["--model", "mlp", "--batch-size", "8", "--epochs", "2", "--seed", "3", "--learning-rate", "0.02"]
  private static let codecs = [
    "float16", "bfloat16", "8-bit", "1-bit", "sign", "qsgd:16", "terngrad", "top-k:0.05", "random-k:0.05", "dgc:0.01:1",
    "powersgd:2",
  ]

  private func train(
    _ arguments: [String], _ launch: Launch, in directory: TemporaryDirectory, _ name: String
  ) throws -> Record {
    try record(Self.small + arguments, launch, in: directory, name)
  }

  @Test(arguments: codecs) func bitsDependNeitherOnRanksNorOnWhereARunGoesOn(_ codec: String) throws {
    let directory = try TemporaryDirectory()
    let arguments = ["--shards", "4", "--compress", codec]
    let whole = try train(arguments + ["--save-every", "1", "--keep", "99"], .alone, in: directory, "run")
    for ranks in [3, 4] {
      let other = try train(arguments, .ranks(ranks), in: directory, "ranks-\(ranks)")
      #expect(other.summary == whole.summary && other.files == whole.files, "\(ranks) ranks")
    }
    let rest = try train(
      arguments + ["--resume", "run/checkpoints/step-00000006"], .ranks(2), in: directory, "rest")
    #expect(rest.summary == whole.summary)
  }

  /// Convolutions, whose kernels keep weights in blocks, with what stays dense: batch normalisation and its statistics.
  @Test(arguments: ["1-bit", "powersgd:1", "dgc:0.02:0"]) func modelsWithBatchNormHaveEqualBits(_ codec: String) throws
  {
    let directory = try TemporaryDirectory()
    let arguments =
      synthetic("3x8x8", train: 24, test: 10)
      + [
        "--model", "resnet20-cifar", "--batch-size", "8", "--steps", "4", "--shards", "3", "--compress", codec,
        "--clip-norm", "0.5",
      ]
    let records = try [1, 2].map { ranks in
      let job = try Launch.ranks(ranks).run(["train", "--run-dir", "r\(ranks)"] + arguments, in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      return try Record(job, directory: directory.url.appendingPathComponent("r\(ranks)"))
    }
    #expect(records[0].summary == records[1].summary)
  }

  /// Where everything is sent, nothing differs from the plain sum: of two shards, because floating-point addition commutes.
  @Test func sendingEverythingIsThePlainSum() throws {
    let directory = try TemporaryDirectory()
    let plain = try train(["--shards", "2"], .ranks(2), in: directory, "plain")
    let all = try train(["--shards", "2", "--compress", "top-k:1"], .ranks(2), in: directory, "all")
    #expect(all.files["model.safetensors"] == plain.files["model.safetensors"])
  }

  /// Deep gradient compression at a ratio of 1 is momentum SGD, with its own momentum and weight decay in the optimizer's place.
  @Test(arguments: [[], ["--nesterov"]]) func allOfDeepGradientCompressionIsMomentum(_ form: [String]) throws {
    let directory = try TemporaryDirectory()
    let plain = try train(["--shards", "1"] + form, .alone, in: directory, "plain")
    let all = try train(["--shards", "1", "--compress", "dgc:1:0"] + form, .alone, in: directory, "all")
    #expect(all.files["model.safetensors"] == plain.files["model.safetensors"])
  }

  /// Within a node there is nothing to spare; over a slow link there is, however long a slow rank is waited for.
  @Test func whatCostsMoreThanItSavesIsSaid() throws {
    let warning = "it costs more than it saves here."
    let directory = try TemporaryDirectory()
    let arguments = Self.small + ["--log-every", "2", "--compress", "powersgd:1", "--delay", "1:300"]
    let near = try Launch.ranks(2).run(["train", "--run-dir", "near"] + arguments, in: directory.url)
    #expect(near.exitCode == 0 && near.standardError.contains(warning), "\(near.transcript)")
    #expect(
      near.standardError.contains(#/  sends 1\/\d+ in +\d+\.\d ms \(coding .+; plain sum .+\)/#),
      "\(near.transcript)")
    guard Hosts.obstacle == nil else { return }
    let hosts = try Hosts(count: 2, bandwidth: .megabits(100))
    let far = try hosts.mpirun(
      ranks: [1, 1], [product("swift-dp-train"), "train", "--run-dir", "far"] + arguments, options: ["-q"],
      in: directory.url)
    #expect(far.exitCode == 0 && !far.standardError.contains(warning), "\(far.transcript)")
  }

  @Test func whatCannotBeIsRefused() throws {
    let directory = try TemporaryDirectory()
    for (arguments, sentence) in [
      (["--compress", "zip"], "--compress zip: compression zip is not known; give one of none, float16"),
      (["--compress", "top-k:2"], "--compress top-k:2: "),
      (["--compress", "sign", "--method", "local"], "--compress sign with --method local"),
      (["--compress", "sign", "--all-reduce", "ring"], "--compress sign with --all-reduce ring"),
      (["--compress", "dgc:0.01", "--optimizer", "lars"], "--compress dgc:0.01 with --optimizer lars"),
      (["--compress", "dgc:0.01", "--momentum-correction"], "--compress dgc:0.01 with --momentum-correction"),
    ] {
      let job = try Launch.alone.run(["train", "--run-dir", "run"] + Self.small + arguments, in: directory.url)
      #expect(job.exitCode == 64 && job.standardError.contains("error (64): \(sentence)"), "\(job.transcript)")
    }
  }
}
