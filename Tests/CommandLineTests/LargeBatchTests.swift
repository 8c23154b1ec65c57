import Foundation
import TestSupport
import Testing

/// The settings of large batches as a user meets them.
@Suite(.serialized) struct LargeBatchTests {
  private static let small =
    synthetic("3x8x8", train: 40, test: 30)
    + ["--model", "resnet20-cifar", "--shards", "3", "--batch-size", "10", "--steps", "8", "--seed", "7"]
  private static let recipe = [
    "--optimizer", "lars", "--momentum-correction", "--average-parameters", "0.9", "--zero-init-residual", "--scale-lr",
    "linear", "--reference-batch", "5", "--warmup-start", "reference", "--warmup-epochs", "1",
  ]

  private func train(_ arguments: [String], _ launch: Launch, in directory: TemporaryDirectory, _ name: String) throws
    -> Record
  {
    let job = try launch.run(["train", "--run-dir", name] + Self.small + arguments, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return try Record(job, directory: directory.url.appendingPathComponent(name))
  }

  private func parameters(_ name: String, in directory: TemporaryDirectory) throws -> Data {
    try Data(contentsOf: directory.url.appendingPathComponent(name))
  }

  /// Averages, LARS and the correction of momentum go on from every checkpoint, on other ranks, to the same bits; the best
  /// and the final file hold the average, which is what `evaluate` sees too.
  @Test func aRunGoesOnToTheSameBits() throws {
    let directory = try TemporaryDirectory()
    let whole = try train(Self.recipe + ["--save-every", "1", "--keep", "9"], .ranks(2), in: directory, "run")
    for (step, ranks) in [(1, 3), (3, 1), (5, 2)] {
      let rest = try train(
        Self.recipe + ["--resume", "run/checkpoints/step-0000000\(step)"], .ranks(ranks), in: directory, "from-\(step)")
      #expect(rest.summary == whole.summary, "from step \(step) on \(ranks) ranks")
      #expect(rest.files["model.safetensors"] == whole.files["model.safetensors"], "from step \(step)")
    }
    for (choice, isFinal) in [([], true), (["--parameters", "average"], true), (["--parameters", "trained"], false)] {
      let job = try Launch.alone.run(
        ["checkpoint", "export", "run/checkpoints/step-00000008", "--output", "out.safetensors"] + choice,
        in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      let isEqual = try parameters("out.safetensors", in: directory) == whole.files["model.safetensors"]
      #expect(isEqual == isFinal && job.standardOutput.contains("averaged") == isFinal, "\(job.transcript)")
    }
    let correct = try whole.value("test_correct")
    for place in [["--run", "run"], ["--checkpoint", "run/checkpoints/step-00000008"]] {
      let job = try Launch.ranks(2).run(["evaluate"] + place, in: directory.url)
      #expect(job.exitCode == 0 && job.standardOutput.contains("(\(correct) of 30)"), "\(job.transcript)")
    }
  }

  /// Averaging looks on: the parameters that are trained are those of a run without it.
  @Test func averagesChangeNothingThatIsTrained() throws {
    let directory = try TemporaryDirectory()
    for (name, options) in [("with", ["--average-parameters", "0.9"]), ("without", [])] {
      _ = try train(options, .ranks(2), in: directory, name)
      let job = try Launch.alone.run(
        ["checkpoint", "export", name, "--parameters", "trained", "--output", "\(name).safetensors"], in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
    }
    #expect(try parameters("with.safetensors", in: directory) == parameters("without.safetensors", in: directory))
    #expect(
      try parameters("with/model.safetensors", in: directory) != parameters("without/model.safetensors", in: directory))
    let job = try Launch.alone.run(
      ["checkpoint", "export", "without", "--parameters", "average", "--output", "none.safetensors"], in: directory.url)
    #expect(job.exitCode == 64 && job.standardError.contains("keeps no average"), "\(job.transcript)")
  }

  /// The banner says what the rate is and why; config.yaml reads back to the same run; other settings are refused.
  @Test func theRecipeIsShownAndKept() throws {
    let directory = try TemporaryDirectory()
    let arguments = ["train", "--run-dir", "run"] + Self.small
    let job = try Launch.alone.run(arguments + Self.recipe, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    #expect(
      job.standardError.contains(
        "0.1 = 0.05 × 10 ÷ 5 (linear) · warm-up 4 steps from 0.05 · cosine schedule · lars, coefficient 0.001 · momentum 0.9, corrected · "
          + "weight decay 0.0005 · evaluated as averages, decay 0.9"), "\(job.transcript)")
    let again = try Launch.alone.run(["train", "--run-dir", "again", "--config", "run/config.yaml"], in: directory.url)
    try #require(again.exitCode == 0, "\(again.transcript)")
    let records = try [(job, "run"), (again, "again")].map {
      try Record($0, directory: directory.url.appendingPathComponent($1))
    }
    #expect(records[0].summary == records[1].summary)
    let refused = try Launch.alone.run(
      ["train", "--run-dir", "other", "--resume", "run/checkpoints/step-00000008"] + Self.small
        + Self.recipe.dropLast(2) + ["--warmup-epochs", "1", "--warmup-start", "0", "--reference-batch", "10"],
      in: directory.url)
    #expect(
      refused.exitCode == 64
        && refused.standardError.contains(
          "(reference-batch was 5, is 10; warmup-start was reference, is 0.0); give the same settings"),
      "\(refused.transcript)")
  }

  /// γ of the last batch norm of every residual branch, and nothing else, starts at zero; models without one say so.
  @Test func residualBranchesStartAtZero() throws {
    let directory = try TemporaryDirectory()
    func job(_ model: String, _ arguments: [String]) throws -> CommandResult {
      try Launch.alone.run(
        ["train", "--run-dir", model, "--model", model, "--batch-size", "4", "--dry-run", "1"]
          + synthetic("3x8x8", train: 8, test: 4) + arguments, in: directory.url)
    }
    #expect(try job("resnet18-cifar", ["--zero-init-residual"]).exitCode == 0)
    #expect(try job("mobilenet-v2", ["--zero-init-residual"]).exitCode == 0)
    for model in ["mlp", "shufflenet-v2"] {
      let refused = try job(model, ["--zero-init-residual"])
      #expect(
        refused.exitCode == 64
          && refused.standardError
            == "error (64): --zero-init-residual: no residual branch of \(model) ends in a batch norm; leave it out, or "
            + "choose a ResNet.\n",
        "\(refused.transcript)")
    }
  }
}
