import Foundation
import TestSupport
import Testing
import Training

/// Evaluations within epochs: they show a run's way and change nothing of it.
@Suite(.serialized) struct EvaluationTests {
  /// Two epochs of five steps.
  private static let small =
    synthetic("1x8x8", train: 34, test: 20)
    + ["--model", "mlp", "--batch-size", "8", "--epochs", "2", "--seed", "3", "--learning-rate", "0.02"]

  private func train(
    _ arguments: [String], _ launch: Launch, in directory: TemporaryDirectory, _ name: String
  ) throws -> Record {
    try record(Self.small + arguments, launch, in: directory, name)
  }

  private func evaluatedSteps(_ directory: TemporaryDirectory, _ name: String) throws -> [Int] {
    RunCurve(try EventLog(run: directory.url.path + "/" + name).events).evaluations.map(\.step)
  }

  @Test(arguments: [
    [], ["--method", "local", "--local-steps", "3"], ["--method", "easgd", "--local-steps", "2"],
    ["--method", "stochastic-push"], ["--compress", "top-k:0.1"], ["--average-parameters", "0.9"],
  ]) func theyChangeNoBit(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let arguments = ["--shards", "2"] + method
    let plain = try train(arguments, .ranks(2), in: directory, "plain")
    let often = try train(arguments + ["--evaluate-every", "2"], .ranks(2), in: directory, "often")
    #expect(often.summary == plain.summary && often.files == plain.files)
    #expect(try evaluatedSteps(directory, "plain") == [5, 10])
    #expect(try evaluatedSteps(directory, "often") == [2, 4, 5, 6, 8, 10])
  }

  /// A segment of an asynchronous method ends there.
  @Test func serversStopForThem() throws {
    let directory = try TemporaryDirectory()
    _ = try train(["--method", "downpour", "--evaluate-every", "3"], .ranks(3), in: directory, "run")
    #expect(try evaluatedSteps(directory, "run") == [3, 5, 6, 9, 10])
  }

  @Test func aComparisonSaysWhenTheTargetWasReached() throws {
    let directory = try TemporaryDirectory()
    let file = """
      base:
        dataset: synthetic
        synthetic-shape: 1x8x8
        synthetic-train: 400
        synthetic-test: 100
        model: mlp
        batch-size: 20
        shards: 2
      runs:
        learns: {}
        stays:
          learning-rate: 1e-9
      """
    try Data(file.utf8).write(to: directory.url.appendingPathComponent("methods.yaml"))
    let arguments = ["compare", "methods.yaml", "--out", "out", "--epochs", "3", "--evaluate-every", "5"]
    let job = try Launch.ranks(2).run(arguments + ["--target", "40"], in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let report = try String(contentsOf: directory.url.appendingPathComponent("out/report.md"), encoding: .utf8)
    let rows = report.split(separator: "\n").filter { $0.hasPrefix("| learns") || $0.hasPrefix("| stays") }
      .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    try #require(rows.count == 2, "\(report)")
    #expect(report.contains("| reached 40% | seconds to it | gradient bytes to it |"), "\(report)")
    #expect(rows[0][12] == "1 of 1" && rows[1].suffix(3) == ["0 of 1", "–", "–"], "\(report)")
    // Of a ring of two, each sends the model's bytes once a step.
    let curve = RunCurve(try EventLog(run: directory.url.path + "/out/runs/learns-seed42").events)
    let first = try #require(curve.evaluations.first { $0.accuracy >= 0.4 })
    let whole = try #require(curve.totals)
    #expect(Int(rows[0][14]) == whole.gradientBytes / 60 * first.step, "\(report)")

    // A report of its own may ask for another.
    let again = try Launch.alone.run(["compare", "--report-only", "out", "--target", "100.0"], in: directory.url)
    #expect(again.standardOutput.contains("reached 100%"), "\(again.transcript)")
    let bad = try Launch.alone.run(arguments + ["--target", "101"], in: directory.url)
    #expect(
      bad.standardError == "error (64): --target 101.0 cannot be: give percent, as 88.5. See swift-dp-train --help.\n")
  }
}
