import Foundation
import TestSupport
import Testing
import Training

/// Kernels that were timed and kept in a file: the same bits wherever the file is used, and no other file.
@Suite(.serialized) struct PlanTests {
  private static let arguments =
    synthetic("1x28x28", train: 60, test: 20)
    + ["--model", "cnn", "--shards", "3", "--batch-size", "24", "--steps", "3"]

  private func train(_ launch: Launch, _ plan: String, _ run: String, in directory: URL) throws -> CommandResult {
    try launch.run(["train", "--plan", plan, "--run-dir", run] + Self.arguments, in: directory)
  }

  private func state(_ run: String, in directory: URL) throws -> [String?] {
    let data = try Data(contentsOf: directory.appendingPathComponent(run + "/summary.json"))
    let summary = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    return [summary["state_sha256"] as? String, summary["plan"] as? String]
  }

  @Test func aMeasuredPlanGivesTheSameBitsEverywhere() throws {
    let temporary = try TemporaryDirectory()
    let directory = temporary.url
    let measured = try train(.ranks(2), "measured", "measured", in: directory)
    try #require(measured.exitCode == 0, "\(measured.transcript)")
    let file = try String(contentsOf: directory.appendingPathComponent("measured/plan.json"), encoding: .utf8)
    #expect(file.contains("inner product 8×3136 to 1024") && file.contains("\"fingerprint\""), "\(file)")
    for launch in [Launch.alone, .ranks(1), .ranks(3)] {
      let run = "from-\(launch.ranks ?? 0)"
      let job = try train(launch, "measured/plan.json", run, in: directory)
      try #require(job.exitCode == 0, "\(job.transcript)")
      #expect(try state(run, in: directory) == state("measured", in: directory))
      #expect(
        try String(contentsOf: directory.appendingPathComponent(run + "/plan.json"), encoding: .utf8) == file)
    }
  }

  /// A run goes on with the kernels that it was started with, and its parameters are evaluated with them.
  @Test func aRunKeepsItsPlan() throws {
    let temporary = try TemporaryDirectory()
    let directory = temporary.url
    let path = directory.appendingPathComponent("plan.json")
    let first = try train(.alone, "measured", "first", in: directory)
    try #require(first.exitCode == 0, "\(first.transcript)")
    // What no timing would choose: everything the other way round.
    var text = try String(contentsOf: directory.appendingPathComponent("first/plan.json"), encoding: .utf8)
    text = text.replacingOccurrences(of: ": \"own\"", with: ": \"?\"")
      .replacingOccurrences(of: ": \"library\"", with: ": \"own\"").replacingOccurrences(
        of: "\"?\"", with: "\"library\"")
    try text.write(to: path, atomically: true, encoding: .utf8)
    let whole = try train(.alone, "plan.json", "whole", in: directory)
    try #require(whole.exitCode == 0, "\(whole.transcript)")
    #expect(try state("whole", in: directory)[1] != state("first", in: directory)[1])
    let evaluation = try Launch.ranks(2).run(["evaluate", "--run", "whole"], in: directory)
    #expect(evaluation.exitCode == 0, "\(evaluation.transcript)")

    let part = try Launch.alone.run(
      ["train", "--plan", "plan.json", "--run-dir", "part", "--save-every", "1"] + Self.arguments, in: directory)
    try #require(part.exitCode == 0, "\(part.transcript)")
    try FileManager.default.removeItem(at: path)
    let resumed = try Launch.ranks(2).run(
      ["train", "--plan", "plan.json", "--run-dir", "resumed", "--resume", "part/checkpoints/step-00000002"]
        + Self.arguments, in: directory)
    try #require(resumed.exitCode == 0, "\(resumed.transcript)")
    #expect(try state("resumed", in: directory) == state("whole", in: directory))
  }

  @Test func otherFilesAreRefused() throws {
    let workbench = try Workbench()
    try workbench.expectError(
      "error (65): --plan nowhere.json: cannot be read; give rules, library, measured, or the plan.json of a run.",
      ["--plan", "nowhere.json"] + Self.arguments, .ranks(2))
    try workbench.write("plan.json", Array("{}".utf8))
    try workbench.expectError(
      "error (65): --plan plan.json: is not a plan; give the plan.json of a run with --plan measured.",
      ["--plan", "plan.json"] + Self.arguments, .alone)
    try workbench.write(
      "plan.json", Array(#"{"fingerprint":"another machine","format":1,"kernels":{}}"#.utf8))
    let job = try train(.ranks(2), "plan.json", "run", in: workbench.directory.url)
    #expect(job.exitCode == 64, "\(job.transcript)")
    #expect(
      job.standardError.contains("--plan plan.json: was measured with another machine (here numerics "),
      "\(job.transcript)")
    try workbench.write("plan.json", Array(#"{"fingerprint":"x","format":2,"kernels":{}}"#.utf8))
    try workbench.expectError(
      "error (65): --plan plan.json: has format 2, this program reads 1; measure anew.",
      ["--plan", "plan.json"] + Self.arguments, .alone)
  }

  /// A plan of another machine is refused on any number of ranks, with what is different there and no run directory.
  @Test func plansOfOtherMachinesAreRefused() throws {
    let workbench = try Workbench()
    let here = Fingerprint.ofThisMachine()
    var fields = here.fields
    fields[3] = .init(name: fields[3].name, value: "NEON")
    fields[5] = .init(name: fields[5].name, value: "1 KiB")
    let plan = #"{"fingerprint":"\#(Fingerprint(fields: fields))","format":1,"kernels":{}}"#
    try workbench.write("plan.json", Array(plan.utf8))
    for launch in [Launch.alone, .ranks(2)] {
      try workbench.expectError(
        "error (64): --plan plan.json: was measured with own instruction set NEON (here \(here["own instruction set"])), "
          + "level-2 cache 1 KiB (here \(here["level-2 cache"])), where the same kernels give other bits or are not there; "
          + "measure anew with --plan measured.", ["--plan", "plan.json"] + Self.arguments, launch)
    }
  }

  @Test func twoPlansAreShownSideBySide() throws {
    let temporary = try TemporaryDirectory()
    let directory = temporary.url
    let job = try Launch.alone.run(
      ["bench", "step", "--model", "lenet5", "--batch-size", "16", "--steps", "2", "--compare", "library"],
      in: directory)
    // A ratio of a hundred and more, which one slow step of two can have, makes its column wider.
    #expect(
      job.exitCode == 0 && job.standardOutput.contains(/rules ms +library ms +ratio/), "\(job.transcript)")
  }
}
