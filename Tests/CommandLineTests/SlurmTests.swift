import Foundation
import TestSupport
import Testing

/// A Slurm of the tests' own.
private enum Slurm {
  static let script = launchScript("slurm-here")

  /// Why there can be none on this machine, in one sentence; nil if there can.
  static let obstacle: String? = {
    guard let check = try? run([script, "--check"], timeLimit: 30) else { return "\(script) does not run." }
    return check.exitCode == 0 ? nil : check.standardError.trimmingCharacters(in: .whitespacesAndNewlines)
  }()
}

/// The scripts for Slurm under a real Slurm, with a controller and two nodes on this machine (`launch/slurm-here`).
@Suite(
  .serialized, .enabled(if: Slurm.obstacle == nil, Comment(rawValue: Slurm.obstacle ?? "")))
struct SlurmTests {
  private static let arguments =
    synthetic("1x8x8", train: 3000, test: 100)
    + ["--model", "mlp", "--dropout", "0.1", "--batch-size", "64", "--seed", "7", "--steps", "300"]

  /// Writes what `submit slurm` prints for a job on two nodes.
  private func write(_ name: String, _ options: [String], _ arguments: [String], in directory: URL) throws {
    let result = try run(
      [product("swift-dp-train"), "submit", "slurm", "--print", "--name", name, "--time", "5m"] + options + ["--"]
        + arguments)
    try #require(result.exitCode == 0, "\(result.transcript)")
    try Data(result.standardOutput.utf8).write(to: directory.appendingPathComponent("\(name).sbatch"))
  }

  /// Runs lines of bash beside a Slurm of their own. Each node has two cores, as far as Slurm is concerned.
  private func slurm(_ lines: String, in directory: URL, timeLimit: Double = 120) throws -> CommandResult {
    let functions = """
      set -eu
      # Waits for the first step of job $2, whose name is $1.
      first_step() { until grep -q '"step"' runs/$1-$2/events.jsonl 2>/dev/null; do sleep 0.02; done; }
      # Waits for the end of all jobs.
      all_done() { until [ -z "$(squeue -h)" ]; do sleep 0.05; done; }
      # Prints state and restarts of a job.
      state() { scontrol --oneliner show job "$1" | grep -o 'JobState=[A-Z]*\\|Restarts=[0-9]*' | tr '\\n' ' '; }
      """
    return try run(
      [Slurm.script, "--nodes", "2", "--cores", "2", "--", "bash", "-c", functions + "\n" + lines + "\n"],
      in: directory, timeLimit: timeLimit)
  }

  private func outputs(in directory: URL) throws -> String {
    try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".out") }
      .map { "\($0):\n" + (try String(contentsOf: directory.appendingPathComponent($0), encoding: .utf8)) }
      .joined(separator: "\n")
  }

  /// Two jobs, one started by `srun --mpi=pmix` and one by `mpirun`, have to leave for one of a higher partition.
  @Test func preemptedJobsAreRequeuedAndEndWithTheSameBits() throws {
    let untouched = try record(Self.arguments + ["--shards", "2"], .alone).value("state_sha256")
    let directory = try TemporaryDirectory()
    for launcher in ["srun", "mpirun"] {
      try write(
        launcher, ["--nodes", "2", "--launcher", launcher, "--program", product("swift-dp-train")], Self.arguments,
        in: directory.url)
    }
    let job = try slurm(
      """
      srun=$(sbatch --parsable srun.sbatch)
      mpirun=$(sbatch --parsable mpirun.sbatch)
      first_step srun $srun
      first_step mpirun $mpirun
      high=$(sbatch --parsable -p high -N 2 --exclusive --wrap 'ls runs/*/checkpoints')
      all_done
      state $srun; state $mpirun; state $high
      mv runs/srun-$srun srun; mv runs/mpirun-$mpirun mpirun
      """, in: directory.url)
    try #require(job.exitCode == 0 && !job.timedOut, "\(job.transcript)")
    let log = try outputs(in: directory.url)
    #expect(
      job.standardOutput
        == "JobState=COMPLETED Restarts=1 JobState=COMPLETED Restarts=1 JobState=COMPLETED Restarts=0 ",
      "\(job.transcript)\n\(log)")
    for launcher in ["srun", "mpirun"] {
      let summary = try Data(contentsOf: directory.url.appendingPathComponent("\(launcher)/summary.json"))
      let all = try #require(try JSONSerialization.jsonObject(with: summary) as? [String: Any])
      #expect(all["state_sha256"] as? String == untouched && all["ranks"] as? Int == 2, "\(launcher)\n\(log)")
    }
    #expect(log.components(separatedBy: "going on from ").count == 3, "\(log)")
  }

  /// Its ranks save and end with 75 too, but nobody wants it back. How often it was restarted before is all the same: under
  /// Slurm a rank may crash while MPI starts (docs/cluster.md), and then the job begins anew.
  @Test func aCancelledJobStaysCancelled() throws {
    let directory = try TemporaryDirectory()
    let options = ["--nodes", "2", "--program", product("swift-dp-train")]
    try write("mnist", options, Self.arguments + ["--steps", "100000"], in: directory.url)
    let job = try slurm(
      """
      job=$(sbatch --parsable mnist.sbatch)
      first_step mnist $job
      before=$(state $job)
      scancel $job
      for turn in $(seq 100); do [ -n "$(squeue -h)" ] || break; sleep 0.05; done
      sleep 1
      after=$(state $job)
      echo "${after%% *} restarted: $([ "${before##* R}" = "${after##* R}" ] && echo no || echo yes)"; squeue -h
      """, in: directory.url)
    let log = try outputs(in: directory.url)
    #expect(
      job.exitCode == 0 && job.standardOutput == "JobState=CANCELLED restarted: no\n", "\(job.transcript)\n\(log)")
  }

  @Test func anArrayTriesAllCombinations() throws {
    let directory = try TemporaryDirectory()
    let program = directory.url.appendingPathComponent("program")
    try writeProgram("#!/bin/sh\necho \"$@\"\n", to: program)
    try write(
      "sweep",
      ["--program", program.path, "--sweep", "seed=1,2,3", "--sweep", "learning-rate=0.1,0.2", "--at-once", "3"],
      ["--model", "mlp"], in: directory.url)
    let job = try slurm("sbatch sweep.sbatch; all_done; cat *.out | sort", in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let found = job.standardOutput.matches(of: /--run-dir (\S+) .* --seed (\d) --learning-rate (\S+)/)
    let expected = ["0.1", "0.2"].flatMap { rate in ["1", "2", "3"].map { "\($0) \(rate)" } }
    #expect(Set(found.map { "\($0.2) \($0.3)" }) == Set(expected), "\(job.transcript)")
    #expect(
      found.count == 6 && found.allSatisfy { $0.1.hasSuffix("/seed-\($0.2)-learning-rate-\($0.3)") },
      "\(job.transcript)")
  }

  /// Killed at once, with a job under way: no process is left, and no file.
  @Test func nothingStaysWhenItIsKilled() throws {
    let directory = try TemporaryDirectory()
    let job = try run(
      [
        "bash", "-c",
        """
        "$0" -- bash -c 'readlink /proc/self/ns/pid >space; sbatch -N 2 --wrap "srun sleep 600"
          until [ "$(squeue -h -t running | wc -l)" = 1 ]; do sleep 0.05; done; touch started; sleep 600' &
        until [ -e started ]; do kill -0 $! || exit 1; sleep 0.05; done
        space=$(cat space)
        living() { for p in /proc/[0-9]*; do [ "$(readlink $p/ns/pid)" != "$space" ] || echo $p; done; }
        [ -n "$(living)" ] || exit 2
        kill -KILL $!
        for turn in $(seq 100); do [ -n "$(living)" ] || exit 0; sleep 0.05; done
        exit 3
        """, Slurm.script,
      ], in: directory.url, timeLimit: 60)
    #expect(job.exitCode == 0, "\(job.transcript)")
    #expect(!FileManager.default.fileExists(atPath: "/run/slurm-here"))
  }
}
