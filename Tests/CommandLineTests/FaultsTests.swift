import Foundation
import TestSupport
import Testing

/// Ranks that are killed, stopped or slowed in the middle of sums: the job ends or is late, no number is wrong, and nothing of
/// ours is left in shared memory.
@Suite(.serialized) struct FaultsTests {
  private static let settings =
    synthetic("1x12x12", train: 240, test: 20) + [
      "--model", "lenet5", "--shards", "3", "--batch-size", "12", "--steps", "600", "--save-every", "50", "--log-every",
      "10", "--bucket-size", "8KiB", "--seed", "5", "--learning-rate", "0.01",
    ]

  static let sharings = ["--transport messages", "--transport messages --overlap on", "--transport shared-memory"]

  private static let isLong = ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_LONG_TESTS"] == "1"

  private static let reference = Result { try record(settings, .alone).value("state_sha256") }

  /// Trains on three ranks, and does something to one of them after a step that is printed: one in the middle of an epoch.
  private func train(
    _ sharing: String, into run: String, afterStep step: Int, rank: Int, _ fault: @escaping (pid_t) -> Void
  ) throws -> CommandResult {
    try mpirun(
      np: 3,
      [product("swift-dp-train"), "train", "--run-dir", run] + Self.settings
        + sharing.split(separator: " ").map(String.init), options: ["-q", "--bind-to", "none"], timeLimit: 60,
      intervention: Intervention(afterOutput: " \(step)/600") {
        fault(try #require(processes(of: run)[rank]))
      })
  }

  /// In the suite each rank is killed in one of the sharings, in the long form at six points in each.
  @Test(arguments: sharings.indices) func aKilledRankEndsTheJobAndTheRunGoesOn(_ index: Int) throws {
    let sharing = Self.sharings[index]
    let before = try sharedMemoryNames()
    let points = [(70, 0), (230, 2), (110, 1), (310, 1), (150, 0), (430, 2)]
    for (step, rank) in Self.isLong ? points : [points[index]] {
      let directory = try TemporaryDirectory()
      let run = directory.url.appendingPathComponent("run").path
      let job = try train(sharing, into: run, afterStep: step, rank: rank) { kill($0, SIGKILL) }
      #expect(job.exitCode != 0 && !job.timedOut, "\(job.transcript)")
      #expect(try processes(of: run).isEmpty, "processes are left")
      #expect(try sharedMemoryNames().subtracting(before) == [])

      let rest = try Launch.ranks(2).run(
        ["train", "--run-dir", run] + Self.settings + sharing.split(separator: " ").map(String.init),
        in: directory.url, timeLimit: 60)
      try #require(rest.exitCode == 0, "\(rest.transcript)")
      #expect(rest.standardError.contains("going on from"), "\(rest.transcript)")
      let ended = try Record(rest, directory: URL(fileURLWithPath: run))
      #expect(try ended.value("state_sha256") == Self.reference.get(), "killed rank \(rank) after step \(step)")
    }
  }

  @Test(arguments: sharings) func aStoppedOrSlowRankOnlyDelays(_ sharing: String) throws {
    let before = try sharedMemoryNames()
    let faults: [(String, (pid_t) -> Void)] = [
      (
        "stopped",
        { process in
          kill(process, SIGSTOP)
          usleep(400_000)
          kill(process, SIGCONT)
        }
      ),
      (
        "slowed",
        { process in
          for _ in 0..<25 {
            kill(process, SIGSTOP)
            usleep(9_000)
            kill(process, SIGCONT)
            usleep(7_000)
          }
        }
      ),
    ]
    for (index, fault) in faults.enumerated() {
      let directory = try TemporaryDirectory()
      let run = directory.url.appendingPathComponent("run").path
      let job = try train(sharing, into: run, afterStep: 90 + 80 * index, rank: 2 - index, fault.1)
      try #require(job.exitCode == 0 && !job.timedOut, "\(fault.0): \(job.transcript)")
      let ended = try Record(job, directory: URL(fileURLWithPath: run))
      #expect(try ended.value("state_sha256") == Self.reference.get(), "\(fault.0)")
      #expect(try sharedMemoryNames().subtracting(before) == [])
    }
  }
}
