import Foundation
import TestSupport
import Testing
import Training

/// What a run with `--delay` says of its stragglers, on the screen and in files. Times are compared loosely: what is measured
/// depends on whatever else the machine does.
@Suite(.serialized) struct StragglerTests {
  private static let small =
    synthetic("1x8x8", train: 400, test: 20) + [
      "--model", "mlp", "--batch-size", "12", "--steps", "32", "--learning-rate", "0.01", "--threads-per-shard", "1",
    ]

  private struct Summary: Decodable { let stragglers: StragglerReport? }

  private func train(
    _ arguments: [String], ranks: Int, in directory: TemporaryDirectory, _ name: String = "run"
  ) throws -> (report: StragglerReport?, job: CommandResult) {
    let job = try Launch.ranks(ranks).run(["train", "--run-dir", name] + Self.small + arguments, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let data = try Data(contentsOf: directory.url.appendingPathComponent("\(name)/summary.json"))
    return (try JSONDecoder().decode(Summary.self, from: data).stragglers, job)
  }

  private func gain(_ report: StragglerReport, _ name: String) throws -> Double {
    try #require(report.methods.first { $0.name.hasPrefix(name) }).gain
  }

  @Test(arguments: [("synchronous", 3), ("stochastic-push", 3), ("downpour", 4), ("backup-workers", 4)])
  func aSlowRankIsNamed(_ method: String, _ ranks: Int) throws {
    let directory = try TemporaryDirectory()
    let (found, job) = try train(["--method", method, "--delay", "1:60"], ranks: ranks, in: directory)
    let report = try #require(found, "\(job.transcript)")
    #expect(report.slowest == 1 && report.ranks.count == 3 && report.ranks[1].workSeconds >= 0.06)
    #expect(job.standardOutput.contains("stragglers: rank 1 is the slowest, "), "\(job.transcript)")
    // All wait for it, but where nobody does.
    #expect(try gain(report, "downpour") > 1.2 && gain(report, "backup-workers") > 1.1, "\(report)")
    #expect(try gain(report, "synchronous") == 1 && gain(report, "local") < 1.5)
    #expect(report.methods.filter { $0.measured != nil }.map { $0.name.prefix(6) } == [method.prefix(6)])
    if method == "synchronous" { #expect(report.shareOfWaiting > 0.3 && report.shareForSlowest ?? 0 > 0.8) }
    let text = try String(contentsOf: directory.url.appendingPathComponent("run/stragglers.md"), encoding: .utf8)
    #expect(text.contains("rank 1 is the slowest, ") && text.contains("| downpour | "))
    let events = try String(contentsOf: directory.url.appendingPathComponent("run/events.jsonl"), encoding: .utf8)
    #expect(events.contains(#""share_of_waiting":"#) && events.contains(#""slowest":1"#))
  }

  /// With local steps nobody waits for a delay that another makes up for: faster than the slowest of each step.
  @Test func localStepsAverageDelays() throws {
    let directory = try TemporaryDirectory()
    let (found, job) = try train(
      ["--method", "local", "--local-steps", "16", "--delay", "random:40"], ranks: 4, in: directory)
    let report = try #require(found)
    let synchronous = try #require(report.methods.first { $0.name == "synchronous" }).samplesPerSecond
    let measured = try #require(report.methods.compactMap(\.measured).first)
    #expect(measured > 1.1 * synchronous, "\(job.transcript)")
  }

  /// A run that loses no time on purpose says nothing more than it did, and its bits are those of one that does.
  @Test func ordinaryRunsAreSilent() throws {
    let directory = try TemporaryDirectory()
    let (found, job) = try train([], ranks: 2, in: directory)
    #expect(found == nil && !job.standardOutput.contains("stragglers"), "\(job.transcript)")
    #expect(!FileManager.default.fileExists(atPath: directory.url.appendingPathComponent("run/stragglers.md").path))
    _ = try train(["--delay", "0:5,random:3"], ranks: 2, in: directory, "delayed")
    let files = try ["run", "delayed"].map {
      try Data(contentsOf: directory.url.appendingPathComponent("\($0)/model.safetensors"))
    }
    #expect(files[0] == files[1])
  }

  @Test func aRankThatIsNotThereIsRefused() throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(2).run(["train", "--delay", "2:10"] + Self.small, in: directory.url)
    #expect(
      job.exitCode == 64 && job.standardError.contains("error (64): --delay 2:10 names rank 2, but 2 ranks compute: "),
      "\(job.transcript)")
  }
}
