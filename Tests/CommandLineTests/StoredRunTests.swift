import Foundation
import TestSupport
import Testing

/// What can be done with a run that is stored: evaluate it, look at its checkpoints, take its parameters.
@Suite(.serialized) struct StoredRunTests {
  /// A finished run that all tests here read: `run` in a directory of its own.
  static let stored = Result {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(2).run(["train", "--run-dir", "run"] + settings, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return (directory, try Record(job, directory: directory.url.appendingPathComponent("run")))
  }

  static let settings =
    synthetic("1x12x12", train: 40, test: 600)
    + ["--model", "lenet5", "--dropout", "0.1", "--shards", "3", "--batch-size", "16", "--epochs", "2", "--seed", "7"]

  private func job(
    _ code: Int32, _ arguments: [String], _ launch: Launch = .alone, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> CommandResult {
    let result = try launch.run(arguments, in: Self.stored.get().0.url)
    #expect(result.exitCode == code, "\(result.transcript)", sourceLocation: sourceLocation)
    return result
  }

  /// Exactly the numbers of the run's own summary, on any number of ranks.
  @Test func evaluationRepeatsTheSummary() throws {
    let (_, record) = try Self.stored.get()
    for launch in [Launch.alone, .ranks(1), .ranks(3)] {
      for place in [["--run", "run"], ["--checkpoint", "run/checkpoints/step-00000006"]] {
        let ended = try job(0, ["evaluate", "--json"] + place, launch)
        let all = try #require(
          try JSONSerialization.jsonObject(with: Data(ended.standardOutput.utf8)) as? [String: Any],
          "\(ended.transcript)")
        for (key, other) in [("correct", "test_correct"), ("total", "test_total"), ("loss", "test_loss")] {
          let value = try #require(all[key], "\(ended.transcript)")
          #expect(try "\(value)" == record.value(other), "\(launch) \(place) \(key)")
        }
      }
    }
  }

  @Test func checkpointsAreListedAndVerified() throws {
    let list = try job(0, ["checkpoint", "list", "run"]).standardOutput.split(separator: "\n")
    #expect(
      list.dropFirst().map { $0.split(separator: " ").last } == [
        "run/checkpoints/step-00000006", "run/checkpoints/step-00000003",
      ])
    #expect(
      try job(0, ["checkpoint", "verify", "run"]).standardOutput
        == "ok       run/checkpoints/step-00000006\nok       run/checkpoints/step-00000003\n")
    let (_, record) = try Self.stored.get()
    let shown = try job(0, ["checkpoint", "show", "run/checkpoints/step-00000006"]).standardOutput
    #expect(try shown.contains(record.value("state_sha256")))
  }

  /// The newest checkpoint holds the final parameters: exported, they are the file of the run, byte for byte.
  @Test func exportedParametersAreTheRuns() throws {
    let (directory, record) = try Self.stored.get()
    _ = try job(0, ["checkpoint", "export", "run", "--output", "exported.safetensors"])
    let exported = try Data(contentsOf: directory.url.appendingPathComponent("exported.safetensors"))
    #expect(exported == record.files["model.safetensors"])
  }

  /// A start that is exported and read again is the start of the seed.
  @Test func anExportedStartIsTheSeeds() throws {
    let (directory, record) = try Self.stored.get()
    _ = try job(
      0,
      [
        "checkpoint", "export", "--model", "lenet5", "--input", "1x12x12", "--seed", "7", "--output",
        "start.safetensors",
      ])
    let ended = try job(0, ["train", "--run-dir", "again", "--init", "start.safetensors"] + Self.settings, .ranks(3))
    let again = try Record(ended, directory: directory.url.appendingPathComponent("again"))
    #expect(again.summary == record.summary)
  }

  @Test func whatIsNotThereEndsWithOneSentence() throws {
    // A run that has saved nothing yet.
    try FileManager.default.createDirectory(
      at: Self.stored.get().0.url.appendingPathComponent("early/checkpoints"), withIntermediateDirectories: true)
    let early = "early: holds no checkpoint yet; let the run go on to its first."
    for (arguments, code, text) in [
      (["evaluate"], 64, "evaluate needs --run or --checkpoint, one of them. See swift-dp-train --help."),
      (
        ["evaluate", "--run", "nowhere"], 65,
        "nowhere/config.yaml: cannot be read; give the directory of a run (--run-dir of train)."
      ),
      (
        ["evaluate", "--checkpoint", "run"], 65,
        "run/manifest.json: cannot be read; give the directory of a checkpoint."
      ),
      (
        ["checkpoint", "list", "nowhere"], 65,
        "nowhere: holds no run; give the directory of a run (--run-dir of train)."
      ),
      (["checkpoint", "verify", "early"], 65, early),
      (["checkpoint", "verify", "run", "early"], 65, early),
      (["checkpoint", "export", "early", "--output", "x"], 65, early),
      (["checkpoint", "show", "run"], 65, "run/manifest.json: cannot be read; give the directory of a checkpoint."),
      (
        ["checkpoint", "export", "run", "--output", "/proc/x"], 74,
        "/proc/x: cannot create it (No such file or directory); check the path, its permissions and the free space."
      ),
      (
        ["models", "show", "vgg"], 64,
        "models show vgg is not known; give one of \(BadConfigurationTests.models)."
      ),
      (
        ["data", "info", "--dataset", "mnist"], 65,
        "mnist is not installed with the system: give --data-dir the directory that holds it."
      ),
      (["data", "order", "--epoch", "-1"], 64, "--epoch -1 cannot be: epochs count from 0."),
    ] as [([String], Int32, String)] {
      let ended = try job(code, arguments)
      #expect(ended.standardError == "error (\(code)): \(text)\n" && ended.standardOutput == "", "\(ended.command)")
    }
  }

  /// A checkpoint that is damaged is named, and the exit code tells.
  @Test func damageIsFound() throws {
    let (directory, _) = try Self.stored.get()
    let copy = directory.url.appendingPathComponent("copy")
    try FileManager.default.copyItem(
      at: directory.url.appendingPathComponent("run/checkpoints/step-00000006"), to: copy)
    let file = copy.appendingPathComponent("state.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 5] ^= 4
    try bytes.write(to: file)
    let found = "copy/state.safetensors: does not have the digest of its manifest; take another checkpoint."
    let verified = try job(65, ["checkpoint", "verify", "run/checkpoints/step-00000003", "copy"])
    #expect(verified.standardOutput == "ok       run/checkpoints/step-00000003\ndamaged  copy  \(found)\n")
    #expect(try job(65, ["evaluate", "--checkpoint", "copy"], .ranks(2)).standardError == "error (65): \(found)\n")
  }
}
