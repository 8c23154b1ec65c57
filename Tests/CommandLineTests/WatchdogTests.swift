import Foundation
import TestSupport
import Testing

/// Hangs and deaths: who holds the job up is named within the limit, nothing stays behind, and the run goes on.
@Suite(.serialized) struct WatchdogTests {
  static let arguments =
    synthetic("1x12x12", train: 24_000, test: 20) + [
      "--model", "lenet5", "--shards", "4", "--batch-size", "12", "--steps", "20000", "--save-every", "100", "--seed",
      "5",
      "--learning-rate", "0.01", "--watchdog", "2", "--log-every", "10",
    ]

  private func train(in directory: TemporaryDirectory) -> [String] {
    [product("swift-dp-train"), "train", "--run-dir", directory.url.appendingPathComponent("run").path] + Self.arguments
  }

  private func errors(_ job: CommandResult) -> [Substring] {
    job.standardError.split(separator: "\n").filter { $0.hasPrefix("error (") }
  }

  /// A rank that is stopped, be it rank 0, which watches.
  @Test(arguments: [2, 0]) func aStoppedRankIsNamed(rank: Int) throws {
    let directory = try TemporaryDirectory()
    let job = try mpirun(
      np: 3, train(in: directory), options: ["-q", "--bind-to", "none"], timeLimit: 60,
      intervention: Intervention(afterOutput: "save  step ") {
        kill(try #require(processes(of: directory.url.path)[rank]), SIGSTOP)
      })
    #expect(job.exitCode == 70 && !job.timedOut, "\(job.transcript)")
    let errors = errors(job)
    #expect(errors.count == 1, "\(job.transcript)")
    #expect(
      errors.first?.wholeMatch(
        of:
          #/error \(70\): step [0-9,]+: no rank has done anything for \d.\d s. Rank (\d) \([^ ]+, process \d+\) is stopped, .+ Ranks? [0-9, ]+ (is|are) .+ The job is ended; the same command with --run-dir .+ goes on from the last checkpoint./#
      )?.1 == "\(rank)", "\(job.transcript)")
    // Those that can say where they are.
    for other in 0..<3 where other != rank {
      let stacks = directory.url.appendingPathComponent("run/logs/stacks-000\(other).txt")
      #expect(try String(contentsOf: stacks, encoding: .utf8).contains("thread "), "rank \(other)")
    }
    try expectNoProcesses(of: directory)
  }

  /// A file that cannot be opened for ever, as on a file system that does not answer.
  @Test func anEndlessReadIsNamed() throws {
    let workbench = try Workbench()
    let run = workbench.directory.url.appendingPathComponent("run").path
    let program =
      [product("swift-dp-train"), "train", "--watchdog", "2", "--run-dir", run] + Workbench.mnist + Workbench.brief
    // The library is in rank 1 only.
    let stalled =
      [
        "env", "LD_PRELOAD=" + product("libStorageFaults.so"),
        "STORAGE_FAULTS_ROOT=" + workbench.directory.url.appendingPathComponent("data").path,
        "STORAGE_FAULTS_ACTION=stall", "STORAGE_FAULTS_MILLISECONDS=60000", "STORAGE_FAULTS_CALLS=open",
        "STORAGE_FAULTS_AT=1",
      ] + program
    let job = try mpirun(
      np: 1, program + [":", "-np", "1"] + stalled, options: ["-q", "--bind-to", "none"], in: workbench.directory.url,
      timeLimit: 40)
    #expect(job.exitCode == 70 && !job.timedOut, "\(job.transcript)")
    #expect(
      errors(job).first?.contains(
        #/Rank 1 \([^ ]+, process \d+\) does not go on, reading .*data\/[a-z0-9-]+ubyte.* for \d/#) == true,
      "\(job.transcript)")
    try expectNoProcesses(of: workbench.directory)
  }

  /// The save that a job ends with, on a disk that takes nothing.
  @Test func aSaveWithoutEndIsNamed() throws {
    let directory = try TemporaryDirectory()
    let stalled =
      [
        "env", "LD_PRELOAD=" + product("libStorageFaults.so"),
        "STORAGE_FAULTS_ROOT=" + directory.url.appendingPathComponent("run/checkpoints").path,
        "STORAGE_FAULTS_ACTION=stall", "STORAGE_FAULTS_MILLISECONDS=60000", "STORAGE_FAULTS_CALLS=write",
        "STORAGE_FAULTS_AT=1",
      ] + train(in: directory)
    let job = try mpirun(
      np: 1, stalled + [":", "-np", "2"] + train(in: directory), options: ["-q", "--bind-to", "none"], timeLimit: 40,
      intervention: Intervention(afterOutput: "step ") {
        for process in try processes(of: directory.url.path).values { kill(process, SIGUSR1) }
      })
    #expect(job.exitCode == 70 && !job.timedOut, "\(job.transcript)")
    #expect(
      errors(job).first?.contains(
        #/ Rank 0 \([^ ]+, process \d+\) does not go on, saving for \d\.\d s\. Ranks 1, 2 are waiting for rank 0\. /#
      ) == true, "\(job.transcript)")
    try expectNoProcesses(of: directory)
  }

  /// The job's code is that of the signal; who it was and where stands above.
  @Test(arguments: [1, 0]) func aKilledRankIsNamed(rank: Int) throws {
    let directory = try TemporaryDirectory()
    let job = try mpirun(
      np: 3, train(in: directory), options: ["-q", "--bind-to", "none"], timeLimit: 60,
      intervention: Intervention(afterOutput: "save  step ") {
        kill(try #require(processes(of: directory.url.path)[rank]), SIGKILL)
      })
    #expect(job.exitCode == 137 && !job.timedOut, "\(job.transcript)")
    #expect(
      errors(job).contains {
        $0.contains(#/error \(71\): Rank \d \([^ ]+, process \d+\) was ended by signal 9, or by another .+ in step /#)
          && $0.contains("Rank \(rank) ")
      }, "\(job.transcript)")
    try expectNoProcesses(of: directory)
  }

  /// A host that is frozen and a link that is cut, which would hang Open MPI for ever.
  @Suite(.serialized, .enabled(if: Hosts.obstacle == nil, Comment(rawValue: Hosts.obstacle ?? "")))
  struct OnSeveralHosts {
    @Test(arguments: ["frozen", "cut"]) func aHostThatIsGoneIsNamed(_ fault: String) throws {
      let hosts = try Hosts(count: 2)
      let directory = try TemporaryDirectory()
      let job = try hosts.mpirun(
        ranksPerHost: 2, WatchdogTests().train(in: directory), timeLimit: 60,
        intervention: Intervention(afterOutput: "save  step ") {
          if fault == "frozen" { try hosts.freeze(1) } else { try hosts.cutLink(1) }
        })
      #expect(job.exitCode != 0 && !job.timedOut && job.seconds < 40, "\(job.transcript)")
      let text = WatchdogTests().errors(job).joined(separator: "\n")
      #expect(text.contains("error (70): step "), "\(job.transcript)")
      #expect(text.contains("Nothing is heard of rank 2 (node1, process "), "\(job.transcript)")
      #expect(text.contains("Nothing is heard of rank 3 (node1, process "), "\(job.transcript)")
      if fault == "frozen" { try hosts.thaw(1) }
      hosts.remove()
      try expectNoProcesses(of: directory)
    }
  }
}
