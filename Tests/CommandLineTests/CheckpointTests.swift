import Foundation
import TestSupport
import Testing

/// Checkpoints of a run: which are kept, where a run goes on from, what differs, and what happens when they cannot be written.
@Suite(.serialized) struct CheckpointTests {
  /// Two epochs of four steps, the last of an epoch of 5 samples.
  private static let ragged =
    synthetic("1x6x6", train: 29, test: 20)
    + ["--model", "mlp", "--batch-size", "8", "--epochs", "2", "--seed", "3", "--dropout", "0.1"]

  private func names(_ directory: TemporaryDirectory, _ run: String = "run") throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      atPath: directory.url.appendingPathComponent(run).appendingPathComponent("checkpoints").path
    ).sorted()
  }

  /// From the checkpoint of every step, on some number of ranks, to the bits of the run that was never touched.
  @Test(arguments: [4, 6]) func everyStepCanBeGoneOnFrom(shards: Int) throws {
    let directory = try TemporaryDirectory()
    let arguments = Self.ragged + ["--shards", "\(shards)"]
    let whole = try Launch.alone.run(
      ["train", "--run-dir", "run", "--save-every", "1", "--keep", "100"] + arguments, in: directory.url)
    try #require(whole.exitCode == 0, "\(whole.transcript)")
    let reference = try Record(whole, directory: directory.url.appendingPathComponent("run"))
    let checkpoints = try names(directory)
    #expect(checkpoints == (1...8).map { "step-0000000\($0)" })
    for (index, name) in checkpoints.enumerated() {
      let ranks = 1 + (index * 5 + shards) % shards
      let rest = try Launch.ranks(ranks).run(
        ["train", "--run-dir", name, "--resume", "run/checkpoints/\(name)"] + arguments, in: directory.url)
      try #require(rest.exitCode == 0, "\(rest.transcript)")
      let record = try Record(rest, directory: directory.url.appendingPathComponent(name))
      #expect(record.summary == reference.summary, "\(name) on \(ranks) ranks")
      #expect(record.files["model.safetensors"] == reference.files["model.safetensors"], "\(name) on \(ranks) ranks")
    }
  }

  @Test func theNewestAndTheBestAreKept() throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(2).run(
      ["train", "--run-dir", "run", "--save-every", "3,1min", "--keep", "2", "--learning-rate", "0.001"] + Self.ragged,
      in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let events = try String(contentsOf: directory.url.appendingPathComponent("run/events.jsonl"), encoding: .utf8)
      .split(separator: "\n")
    let objects = try events.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    func steps(_ name: String, _ isWanted: ([String: Any]) -> Bool = { _ in true }) -> [Int] {
      objects.filter { $0["event"] as? String == name && isWanted($0) }.compactMap { $0["step"] as? Int }
    }
    #expect(steps("checkpoint") == [3, 4, 6, 8])
    let best = try #require(steps("evaluated") { $0["is_best"] as? Bool == true }.last)
    #expect(try names(directory) == Set([best, 6, 8]).sorted().map { "step-0000000\($0)" })
    let listed = try Launch.alone.run(["checkpoint", "verify", "run"], in: directory.url)
    #expect(listed.exitCode == 0, "\(listed.transcript)")
  }

  /// A directory that goes away under the run: training goes on, and what was saved before the loss is told.
  @Test func saveThatFailsIsAWarning() throws {
    let directory = try TemporaryDirectory()
    let checkpoints = directory.url.appendingPathComponent("run/checkpoints")
    let job = try run(
      [product("swift-dp-train"), "train", "--run-dir", "run", "--save-every", "10", "--log-every", "10"]
        + synthetic("1x6x6", train: 4000, test: 20)
        + ["--model", "mlp", "--batch-size", "8", "--steps", "400", "--seed", "3"], in: directory.url,
      intervention: Intervention(afterOutput: "save  step 10 ") {
        // At once, because the job goes on to write there.
        try FileManager.default.moveItem(at: checkpoints, to: directory.url.appendingPathComponent("aside"))
        try Data().write(to: checkpoints)
      })
    #expect(job.exitCode == 0 && job.standardOutput.hasPrefix("done  400 steps"), "\(job.transcript)")
    let warnings = job.standardError.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
    #expect(!warnings.isEmpty)
    for warning in warnings {
      #expect(
        warning.wholeMatch(
          of:
            #/warning: the checkpoint of step \d+ could not be written: run\/checkpoints\/.+: cannot .+ \((Not a directory|No such file or directory)\); check the path, its permissions and the free space\. Training goes on; the last good checkpoint is that of step \d+, .+ old\./#
        ) != nil, "\(warning)")
    }
  }

  @Test func aJobStopsAfterATime() throws {
    let directory = try TemporaryDirectory()
    let arguments =
      ["train", "--run-dir", "run"] + synthetic("1x8x8", train: 4000, test: 20)
      + ["--model", "mlp", "--batch-size", "64", "--epochs", "500", "--shards", "2"]
    let job = try Launch.ranks(2).run(arguments + ["--stop-after", "1s"], in: directory.url)
    #expect(job.exitCode == 75 && job.standardOutput.hasPrefix("saved (75)  asked to stop"), "\(job.transcript)")
    let again = try Launch.alone.run(arguments + ["--stop-after", "1s"], in: directory.url)
    #expect(
      again.exitCode == 75 && again.standardError.contains(" going on from run/checkpoints/step-"),
      "\(again.transcript)")
  }

  /// Other settings are gone on with where that is asked for, and said.
  @Test func changesAreAllowedAndSaid() throws {
    let directory = try TemporaryDirectory()
    let arguments = ["train", "--run-dir", "run", "--shards", "2", "--warmup-epochs", "0"] + Self.ragged
    let job = try Launch.alone.run(arguments + ["--save-every", "1", "--stop-after", "1s"], in: directory.url)
    try #require(job.exitCode == 0 || job.exitCode == 75, "\(job.transcript)")
    try? FileManager.default.removeItem(at: directory.url.appendingPathComponent("run/summary.json"))
    let changed = ["--momentum", "0.5", "--epochs", "3", "--allow-changed"]
    let other = try Launch.ranks(2).run(arguments + changed, in: directory.url)
    try #require(other.exitCode == 0, "\(other.transcript)")
    let warnings = other.standardError.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
    #expect(
      warnings == [
        "warning: going on with other settings than run/checkpoints/step-00000008 was made with: epochs was 2, is 3; "
          + "momentum was 0.9, is 0.5."
      ])

    let difference = try Launch.alone.run(
      ["checkpoint", "diff", "run/checkpoints/step-00000008", "run/checkpoints/step-00000012"], in: directory.url)
    #expect(difference.exitCode == 1, "\(difference.transcript)")
    for text in ["step was 8, is 12", "momentum was 0.9, is 0.5", "model/fc1.weight", "position/step"] {
      #expect(difference.standardOutput.contains(text), "\(difference.transcript)")
    }
    let same = try Launch.alone.run(
      ["checkpoint", "diff", "run/checkpoints/step-00000012", "run/checkpoints/step-00000012"], in: directory.url)
    #expect(same.exitCode == 0 && same.standardOutput == "the same state, of the same run\n", "\(same.transcript)")
  }
}
