import Foundation
import TestSupport
import Testing
import Training

/// A run of six steps in which every step is saved: small enough to be repeated hundreds of times.
enum TinyRun {
  static let arguments =
    ["train", "--run-dir", "run", "--model", "lenet5", "--dataset", "synthetic", "--synthetic-shape", "1x4x4"]
    + ["--synthetic-train", "20", "--synthetic-test", "10", "--batch-size", "10", "--steps", "6", "--save-every", "1"]
    + ["--shards", "2", "--no-progress"]

  /// Trains in `run` below a directory.
  static func train(in directory: URL, environment: [String: String?] = [:], timeLimit: Double = 60) throws
    -> CommandResult
  {
    // Open MPI's processes of one user share a directory, and one that ends may remove it under another that starts.
    let session = try TemporaryDirectory()
    return try run(
      [product("swift-dp-train")] + arguments,
      environment: environment.merging(["OMPI_MCA_orte_tmpdir_base": session.url.path]) { own, _ in own },
      in: directory, timeLimit: timeLimit)
  }

  /// Trains under the library that records and injects, and returns what it recorded as well.
  static func train(in directory: URL, recordingIn place: URL, _ fault: StorageFault? = nil) throws
    -> (job: CommandResult, calls: [Call])
  {
    let trace = place.appendingPathComponent("trace-\(UUID().uuidString)").path
    let job = try train(
      in: directory, environment: StorageFault.environment(root: directory, trace: trace, fault))
    // One that was killed at its first call has recorded nothing.
    return (job, FileManager.default.fileExists(atPath: trace) ? try readTrace(trace) : [])
  }

  /// The digest of the state at the end of the run that nobody disturbs.
  static let stateDigest = Result<String, any Error> {
    let directory = try TemporaryDirectory()
    let job = try train(in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return try finalDigest(in: directory.url)
  }

  /// The digest of the state at the end of the finished run below a directory.
  static func finalDigest(in directory: URL) throws -> String {
    let data = try Data(contentsOf: directory.appendingPathComponent("run/summary.json"))
    return try JSONDecoder().decode(SummaryFile.self, from: data).stateSHA256
  }

  /// The steps of the checkpoints that the run has said are there, from the bytes of its `events.jsonl`.
  static func acknowledged(_ events: [UInt8]) -> [Int] {
    EventLog(events).events.compactMap { event in
      if case .saved(let step, _) = event { step } else { nil }
    }
  }

  /// The newest checkpoint that is whole, as `--resume auto` looks for it.
  static func newestCheckpoint(in directory: URL) -> Checkpoint? {
    try? checkpoints(in: directory).newest().checkpoint
  }

  static func checkpoints(in directory: URL) -> CheckpointStore {
    CheckpointStore(directory: directory.appendingPathComponent("run/checkpoints").path)
  }
}
