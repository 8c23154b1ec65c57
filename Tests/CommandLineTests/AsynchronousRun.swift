import Foundation
import TestSupport
import Testing

/// `summary.json` of a run of an asynchronous method.
struct AsynchronousSummary: Decodable {
  let steps: Int
  let state_sha256: String
  let parameters_sha256: String
  let test_total: Int
  let test_accuracy: Double
  let final_train_loss: Double
  let tickets: [Int]?
  let pushes: [Int]?
  let dropped: Int?
  let staleness: [Int]?
}

/// Trains to the end.
func trainAsynchronously(
  _ arguments: [String], _ launch: Launch, in directory: TemporaryDirectory, _ name: String = "run"
) throws -> (summary: AsynchronousSummary, job: CommandResult) {
  let job = try launch.run(["train", "--run-dir", name] + arguments, in: directory.url)
  try #require(job.exitCode == 0, "\(job.transcript)")
  let data = try Data(contentsOf: directory.url.appendingPathComponent("\(name)/summary.json"))
  return (try JSONDecoder().decode(AsynchronousSummary.self, from: data), job)
}

/// Asks three ranks to stop once there is a checkpoint: the job saves and ends, and the same command goes on, on so many ranks.
func expectToGoOnAfterASignal(_ arguments: [String], ranks: Int, in directory: TemporaryDirectory) throws {
  let run = directory.url.appendingPathComponent("run").path
  let program = [product("swift-dp-train"), "train", "--run-dir", run] + arguments
  let job = try mpirun(
    np: 3, program, options: ["-q", "--bind-to", "none"], timeLimit: 60,
    intervention: Intervention(afterOutput: "save  step ") {
      for process in try processes(of: directory.url.path).values { kill(process, SIGUSR1) }
    })
  #expect(job.exitCode == 75 && !job.timedOut, "\(job.transcript)")
  let rest = try mpirun(
    np: ranks, program + ["--stop-after", "1s"], options: ["-q", "--bind-to", "none"], timeLimit: 60)
  #expect(rest.exitCode == 75 && rest.standardError.contains("going on from"), "\(rest.transcript)")
}

/// Kills a rank of three once there is a checkpoint: the job ends, and the same command goes on.
func expectToGoOnAfterAKill(of rank: Int, _ arguments: [String]) throws {
  let directory = try TemporaryDirectory()
  let run = directory.url.appendingPathComponent("run").path
  let program = [product("swift-dp-train"), "train", "--run-dir", run] + arguments
  let job = try mpirun(
    np: 3, program, options: ["-q", "--bind-to", "none"], timeLimit: 60,
    intervention: Intervention(afterOutput: "save  step ") {
      kill(try #require(processes(of: directory.url.path)[rank]), SIGKILL)
    })
  #expect(job.exitCode != 0 && job.exitCode != 75 && !job.timedOut, "\(job.transcript)")
  try expectNoProcesses(of: directory)
  let rest = try mpirun(
    np: 3, program + ["--stop-after", "1s"], options: ["-q", "--bind-to", "none"], timeLimit: 60)
  #expect(rest.exitCode == 75 && rest.standardError.contains("going on from"), "\(rest.transcript)")
}
