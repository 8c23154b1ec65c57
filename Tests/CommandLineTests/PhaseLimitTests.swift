import Foundation
import TestSupport
import Testing

/// Ranks that stop where no watchdog sees them: while MPI starts, when the run is over, and after the last call of MPI.
@Suite(.serialized) struct PhaseLimitTests {
  @Test(arguments: ["init", "finalize", "exit"]) func aRankThatStopsEndsTheJob(at call: String) throws {
    let directory = try TemporaryDirectory()
    let before = try sharedMemoryNames()
    let program =
      [product("swift-dp-train"), "train", "--run-dir", directory.url.appendingPathComponent("run").path]
      + synthetic("1x8x8", train: 40, test: 10)
      + ["--model", "mlp", "--shards", "2", "--batch-size", "10", "--steps", "4", "--watchdog", "2"]
    let stopped =
      ["env", "LD_PRELOAD=" + product("libMPIFaults.so"), "MPI_FAULTS_CALL=\(call)"] + program
    let job = try mpirun(
      np: 1, program + [":", "-np", "1"] + stopped, options: ["-q", "--bind-to", "none"], timeLimit: 60,
      isAlone: false)
    #expect(!job.timedOut, "\(job.transcript)")
    let errors = job.standardError.split(separator: "\n").filter { $0.hasPrefix("error (") }
    let isFinished = FileManager.default.fileExists(
      atPath: directory.url.appendingPathComponent("run/summary.json").path)
    #expect(isFinished == (call != "init"), "\(job.transcript)")
    if call == "exit" {
      // Nobody waits for it any more: it is killed, and its files are whole.
      #expect(job.exitCode == 137 && errors.isEmpty, "\(job.transcript)")
    } else {
      let what =
        call == "init"
        ? "the ranks have not found each other in 10 s"
        : "the run is over, but its ranks have not ended together in 5.0 s"
      #expect(job.exitCode == 70 && errors.count == 1, "\(job.transcript)")
      #expect(
        errors.first?.wholeMatch(
          of: try Regex("error \\(70\\): (.+): rank 1 \\([^ ]+, process \\d+\\) is stopped. The job is ended."))?
          .output[1].substring == Substring(what), "\(job.transcript)")
    }
    try expectNoProcesses(of: directory)
    #expect(try sharedMemoryNames().subtracting(before) == [])
  }
}
