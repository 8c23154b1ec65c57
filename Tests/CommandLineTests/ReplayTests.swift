import Foundation
import TestSupport
import Testing

/// Gradients that a run recorded are computed again elsewhere, to the bit.
@Suite(.serialized) struct ReplayTests {
  private static let arguments =
    synthetic("3x8x8", train: 40, test: 10) + [
      "--model", "resnet20-cifar", "--shards", "4", "--batch-size", "10", "--steps", "7", "--dropout", "0.1", "--seed",
      "3",
      "--record-gradients", "3", "--check-every", "2", "--save-every", "5",
    ]

  /// A start from a file is a start like any other, as long as the file is what it was; data and machines must be the run's.
  @Test func aRunThatBeganFromAFileIsReplayed() throws {
    let directory = try TemporaryDirectory()
    func run(_ arguments: [String]) throws -> CommandResult { try Launch.alone.run(arguments, in: directory.url) }
    for seed in ["11", "12"] {
      let export = try run(
        [
          "checkpoint", "export", "--model", "mlp", "--input", "1x8x8", "--classes", "10", "--seed", seed, "--output",
          "start \(seed).safetensors",
        ])
      try #require(export.exitCode == 0, "\(export.transcript)")
    }
    let arguments =
      synthetic("1x8x8", train: 40, test: 10) + [
        "--model", "mlp", "--batch-size", "10", "--steps", "4", "--record-gradients", "2", "--init",
        "start 11.safetensors",
      ]
    let job = try run(["train", "--run-dir", "run"] + arguments)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let replay = try run(["replay", "--run", "run", "--step", "2"])
    #expect(replay.exitCode == 0 && replay.standardOutput.contains("  equal    "), "\(replay.transcript)")

    let files = ["start 11.safetensors", "start 12.safetensors"].map { directory.url.appendingPathComponent($0) }
    try FileManager.default.removeItem(at: files[0])
    try FileManager.default.moveItem(at: files[1], to: files[0])
    let other = try run(["replay", "--run", "run", "--step", "2"])
    #expect(
      other.exitCode == 65
        && other.standardError
          == "error (65): start 11.safetensors: no longer holds the parameters that the run began with; give the file as it was.\n",
      "\(other.transcript)")

    // As if it had been trained elsewhere, on other images.
    let events = directory.url.appendingPathComponent("run/events.jsonl")
    let text = try String(contentsOf: events, encoding: .utf8)
    for (field, code, sentence) in [
      ("data_sha256", Int32(65), "here has the digest "), ("fingerprint", 64, "so the bits differ by nature"),
    ] {
      let line = try #require(text.firstMatch(of: try Regex("\"\(field)\":\"[^\"]*")))
      var changed = text
      changed.replaceSubrange(line.range, with: "\"\(field)\":\"other")
      try changed.write(to: events, atomically: true, encoding: .utf8)
      let refused = try run(["replay", "--run", "run", "--step", "2"])
      #expect(refused.exitCode == code && refused.standardError.contains(sentence), "\(refused.transcript)")
    }
    let nowhere = try run(["replay", "--run", "nowhere", "--step", "2"])
    #expect(
      nowhere.exitCode == 65
        && nowhere.standardError
          == "error (65): nowhere/config.yaml: cannot be read; give the directory of a run (--run-dir of train).\n",
      "\(nowhere.transcript)")
  }

  @Test func recordedGradientsAreComputedAgain() throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(3).run(
      ["train", "--run-dir", "run", "--overlap", "on"] + Self.arguments, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    // What is recorded decides no bit, and is the same on any number of ranks.
    let one = try Launch.alone.run(["train", "--run-dir", "one"] + Self.arguments, in: directory.url)
    let records = try [(job, "run"), (one, "one")].map {
      try Record($0, directory: directory.url.appendingPathComponent($1))
    }
    #expect(records[0].difference(from: records[1]) == nil)
    #expect(records[0].events.filter { $0.contains(#""event":"gradients""#) }.count == 2)

    // From the start, and from the checkpoint of step 4 or 5.
    for (step, launch) in [(3, Launch.alone), (6, .ranks(2))] {
      let replay = try launch.run(["replay", "--run", "run", "--step", "\(step)"], in: directory.url)
      #expect(replay.exitCode == 0, "\(replay.transcript)")
      let lines = replay.standardOutput.split(separator: "\n")
      #expect(lines.count == 5 && lines.prefix(4).allSatisfy { $0.contains("  equal    ") }, "\(replay.transcript)")
      #expect(
        lines.last == (step == 3 ? "step 3, computed again from step 0" : "step 6, computed again from step 5"),
        "\(replay.transcript)")
    }

    // A bit that was recorded wrongly is found, and the shard named.
    let events = directory.url.appendingPathComponent("run/events.jsonl")
    var text = try String(contentsOf: events, encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first { $0.contains(#""event":"gradients""#) })
    let digests = line.matches(of: /[0-9a-f]{64}/)
    let third = try #require(digests.count == 4 ? String(digests[2].0) : nil)
    text = text.replacingOccurrences(
      of: third, with: "0" + third.dropFirst() == third ? "1" + third.dropFirst() : "0" + third.dropFirst())
    try text.write(to: events, atomically: true, encoding: .utf8)
    let replay = try Launch.alone.run(["replay", "--run", "run", "--step", "3"], in: directory.url)
    #expect(replay.exitCode == 1, "\(replay.transcript)")
    let differing = replay.standardOutput.split(separator: "\n").filter { $0.contains("  differs  ") }
    #expect(differing.count == 1 && differing[0].hasPrefix("shard 2  differs  "), "\(replay.transcript)")

    let unknown = try Launch.alone.run(["replay", "--run", "run", "--step", "4"], in: directory.url)
    #expect(unknown.exitCode == 64, "\(unknown.transcript)")
    #expect(
      unknown.standardError == "error (64): --step 4: run/events.jsonl has no gradients of it. It has those of 3, 6.\n")
  }
}
