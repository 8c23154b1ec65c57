import Foundation
import TestSupport
import Testing
import Training

/// Shards and threads are resolved once, by rules (numerics contract, rule 2), and kept for the life of a run.
@Suite(.serialized) struct ResourcesTests {
  private func resolved(_ launch: Launch, _ options: [String]) throws -> [String] {
    let arguments =
      synthetic("1x4x4", train: 8, test: 4) + [
        "--model", "mlp", "--batch-size", "8", "--steps", "1",
      ]
    let run = try record(arguments + options, launch)
    return [try run.value("shards"), try run.value("threads_per_shard")]
  }

  @Test func shardsAreTheRanksAndThreadsTheirShare() throws {
    let cores = Cores.ofNode().count
    // A launcher's binding does not count: `mpirun -np 1` binds to one core.
    #expect(try resolved(.alone, []) == ["1", "\(cores)"])
    #expect(try resolved(.usual(1), []) == ["1", "\(cores)"])
    #expect(try resolved(.bound(2), []) == ["2", "\(max(1, cores / 2))"])
    #expect(try resolved(.ranks(3), []) == ["3", "\(max(1, cores / 3))"])
  }

  @Test func givenNumbersCount() throws {
    #expect(try resolved(.ranks(2), ["--shards", "3"]) == ["3", "1"])
    #expect(try resolved(.alone, ["--shards", "2", "--threads-per-shard", "2"]) == ["2", "2"])
    #expect(try resolved(.ranks(2), ["--threads-per-shard", "3"]) == ["2", "3"])
  }

  /// A run that goes on elsewhere keeps its shards and threads, though none is given.
  @Test func aResumedRunKeepsThem() throws {
    let directory = try TemporaryDirectory()
    let arguments =
      ["train"] + synthetic("1x4x4", train: 8, test: 4) + ["--model", "mlp", "--batch-size", "4", "--steps", "4"]
    let first = try Launch.ranks(3).run(
      arguments + ["--run-dir", "first", "--threads-per-shard", "2"], in: directory.url)
    try #require(first.exitCode == 0, "\(first.transcript)")
    let again = try Launch.ranks(2).run(
      arguments + ["--run-dir", "again", "--resume", "first/checkpoints/step-00000002"], in: directory.url)
    try #require(again.exitCode == 0, "\(again.transcript)")
    let runs = try [(first, "first"), (again, "again")].map {
      try Record($0, directory: directory.url.appendingPathComponent($1))
    }
    #expect(try runs[1].value("shards") == "3" && runs[1].value("threads_per_shard") == "2")
    #expect(try runs[0].value("state_sha256") == runs[1].value("state_sha256"))
  }
}
