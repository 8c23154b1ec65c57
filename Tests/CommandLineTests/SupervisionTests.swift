import Foundation
import TestSupport
import Testing

/// `launch/run` starts a job again after what a restart helps with, and after nothing else.
@Suite(.serialized) struct SupervisionTests {
  static let arguments =
    synthetic("1x8x8", train: 1500, test: 100)
    + ["--model", "mlp", "--dropout", "0.1", "--batch-size", "64", "--seed", "7", "--threads-per-shard", "1"]
    + ["--steps", "120", "--save-every", "4"]

  /// The state of a run of so many shards that nothing has touched.
  static func untouchedState(shards: Int) throws -> String {
    try record(arguments + ["--shards", "\(shards)"], .alone).value("state_sha256")
  }

  private func state(in directory: URL) throws -> String {
    let summary = try Data(contentsOf: directory.appendingPathComponent("run/summary.json"))
    let all = try #require(try JSONSerialization.jsonObject(with: summary) as? [String: Any])
    return try #require(all["state_sha256"] as? String)
  }

  private func command(_ options: [String], program: String = product("swift-dp-train")) -> [String] {
    [launchScript("run"), "--program", program] + options + ["--", "--run-dir", "run"]
  }

  /// A program in place of the trainer that notes each of its starts and then does as told.
  private func program(_ line: String, in directory: URL) throws -> String {
    let file = directory.appendingPathComponent("program")
    try writeProgram("#!/bin/sh\necho start >>starts\n\(line)\n", to: file)
    return file.path
  }

  private func starts(in directory: URL) -> Int {
    let text = try? String(contentsOf: directory.appendingPathComponent("starts"), encoding: .utf8)
    return text?.split(separator: "\n").count ?? 0
  }

  /// A program in place of the trainer whose first rank notes the ranks and arguments of each job. The first job fails after some
  /// commands, with 71 if they come to an end; the second one is the last.
  private func programThatFailsOnce(after lines: String, in directory: URL) throws -> String {
    try program(
      """
      [ "$OMPI_COMM_WORLD_RANK" = 0 ] || exec sleep 60
      echo "$OMPI_COMM_WORLD_SIZE $*" >>jobs
      [ "$(wc -l <jobs)" -lt 2 ] || exit 64
      \(lines)
      exit 71
      """, in: directory)
  }

  private func jobs(in directory: URL) -> [String] {
    let text = try? String(contentsOf: directory.appendingPathComponent("jobs"), encoding: .utf8)
    return text?.split(separator: "\n").map(String.init) ?? []
  }

  /// Has that program write the settings of a run of so many shards.
  private func writing(shards: Int) -> String {
    "mkdir -p run; printf 'shards: \(shards)\nthreads-per-shard: 2\n' >run/config.yaml"
  }

  /// Runs a command in the background of a shell that then does something to `$job`.
  private func run(_ words: [String], _ lines: String, in directory: URL) throws -> CommandResult {
    let script = "\"$@\" 2>stderr & job=$!\n\(lines)\nwait $job; code=$?; cat stderr >&2; exit $code"
    return try TestSupport.run(["sh", "-c", script, "sh"] + words, in: directory, timeLimit: 90)
  }

  /// Starts a program in place of the trainer, whose ends nobody needs to wait for.
  private func start(_ program: String, _ options: [String], in directory: URL) throws -> CommandResult {
    try TestSupport.run(command(options, program: program), environment: impatience, in: directory, timeLimit: 60)
  }

  /// Waits for a text in a file, as long as the job goes on.
  private func wait(for text: String, in file: String) -> String {
    "until grep -q '\(text)' \(file) 2>/dev/null; do kill -0 $job || break; sleep 0.01; done"
  }

  /// Kills a rank once there are two checkpoints: the first one, by `head`, or the last one, by `tail`.
  private func killing(_ end: String) -> String {
    """
    until [ "$(ls -d run/checkpoints/step-* 2>/dev/null | wc -l)" -ge 2 ]; do
      kill -0 $job || break
      sleep 0.01
    done
    mpirun=$(ps -o pid=,comm= --ppid $job | sed -n 's/ mpirun$//p')
    kill -9 $(ps -o pid= --ppid $mpirun | \(end) -n 1)
    """
  }

  @Test func aKilledRankCostsNoBit() throws {
    let directory = try TemporaryDirectory()
    let job = try run(
      command(["--ranks", "3", "--oversubscribe", "--back-off", "0"]) + Self.arguments, killing("head"),
      in: directory.url)
    try #require(job.exitCode == 0 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains(
        #/ended with 137 \(a process was killed by signal 9\)\. Starting it again on 3 ranks in 0 s, from run\/checkp/#
      ), "\(job.transcript)")
    #expect(job.standardError.contains("going on from run/checkpoints/step-"), "\(job.transcript)")
    #expect(try state(in: directory.url) == Self.untouchedState(shards: 3))
  }

  /// A worker, and a server: the run goes on with as many of both.
  @Test(arguments: [("gossip", "head"), ("downpour", "tail")])
  func anAsynchronousJobGoesOn(_ method: String, _ end: String) throws {
    let directory = try TemporaryDirectory()
    let job = try run(
      command(["--ranks", "4", "--oversubscribe", "--back-off", "0"]) + Self.arguments
        + ["--steps", "60", "--method", method],
      killing(end), in: directory.url)
    try #require(job.exitCode == 0 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains(#/ended with 137 .+ Starting it again on 4 ranks in 0 s, from run\/checkpoints/#),
      "\(job.transcript)")
    #expect(job.standardError.contains("going on from run/checkpoints/step-"), "\(job.transcript)")
    let data = try Data(contentsOf: directory.url.appendingPathComponent("run/summary.json"))
    let summary = try JSONDecoder().decode(AsynchronousSummary.self, from: data)
    #expect(summary.steps == 60 && summary.tickets?.count == 3, "\(job.transcript)")
  }

  /// Servers are ranks beside the shards. Shards and threads of the first start are given to later ones as soon as they are
  /// written down; until then they follow from the ranks, as they did at first.
  @Test func aRestartHasTheRanksAndShardsOfTheFirstStart() throws {
    let settings = " --shards 3 --threads-per-shard 2"
    for (ranks, arguments, lines, added) in [
      (3, [], "", ""),
      (3, [], writing(shards: 3), settings),
      (4, ["--method", "gossip"], "", ""),
      (4, ["--method", "gossip"], writing(shards: 3), settings),
      (5, ["--servers=2", "--method=downpour"], writing(shards: 3), settings),
      (5, ["--config", "settings.yaml"], writing(shards: 3), settings),
      // It is the flag that counts.
      (4, ["--config", "settings.yaml", "--servers", "1"], writing(shards: 3), settings),
    ] {
      let directory = try TemporaryDirectory()
      try Data("method: asynchronous-easgd\nservers: 2\n".utf8).write(
        to: directory.url.appendingPathComponent("settings.yaml"))
      let program = try programThatFailsOnce(after: lines, in: directory.url)
      let job = try TestSupport.run(
        command(["--ranks", "\(ranks)", "--oversubscribe", "--back-off", "0"], program: program) + arguments,
        environment: impatience, in: directory.url, timeLimit: 60)
      let first = (["\(ranks) train --run-dir run"] + arguments).joined(separator: " ")
      #expect(job.exitCode == 64 && jobs(in: directory.url) == [first, first + added], "\(job.transcript)")
      #expect(job.standardError.contains("Starting it again on \(ranks) ranks in 0 s"), "\(job.transcript)")
    }
  }

  /// Where fewer ranks would be another run, or none that there can be, a host that is gone is waited for.
  @Test(
    .enabled(if: Hosts.obstacle == nil, Comment(rawValue: Hosts.obstacle ?? "")),
    arguments: [
      (nil, false, "with fewer than 3 it would be another run, as --shards is not given"),
      ("gossip", false, "--method gossip needs 3, one for each of its 2 shards and 1 server"),
      ("gossip", true, ""),
    ] as [(String?, Bool, String)])
  func aLostHostIsWaitedFor(_ method: String?, _ oversubscribes: Bool, _ reason: String) throws {
    let directory = try TemporaryDirectory()
    let hosts = try Hosts(count: 3)
    let lines = (method == nil ? "" : writing(shards: 2)) + "\necho ready >&2; exec sleep 60"
    let program = try programThatFailsOnce(after: lines, in: directory.url)
    let arguments = method.map { ["--method", $0] } ?? []
    let job = try hosts.run(
      on: 0, command(["--back-off", "0", "--max-restarts", "1"], program: program) + arguments,
      environment: ["OMPI_MCA_rmaps_base_oversubscribe": oversubscribes ? "1" : "0"], in: directory.url,
      timeLimit: 90, intervention: Intervention(afterOutput: "ready") { try hosts.killHost(1) })
    let first = (["3 train --run-dir run"] + arguments).joined(separator: " ")
    if oversubscribes {
      let added = " --shards 2 --threads-per-shard 2"
      #expect(job.exitCode == 64 && jobs(in: directory.url) == [first, first + added], "\(job.transcript)")
    } else {
      #expect(job.exitCode == 78 && jobs(in: directory.url) == [first], "\(job.transcript)")
      #expect(
        job.standardError.contains("No answer from node1. Asking again in 0 s, because \(reason) (restart 1 of 1)."),
        "\(job.transcript)")
      #expect(
        job.standardError.contains("too few ranks can start (2), because \(reason); giving up after 1 restarts"),
        "\(job.transcript)")
    }
  }

  @Test(arguments: ["USR1", "TERM"])
  func aSignalSavesAndEndsTheJob(_ signal: String) throws {
    let directory = try TemporaryDirectory()
    let words = command(["--ranks", "2", "--oversubscribe"]) + Self.arguments
    let job = try run(
      words, wait(for: "\"step\"", in: "run/events.jsonl") + "\nkill -\(signal) $job", in: directory.url)
    try #require(job.exitCode == 75 && !job.timedOut, "\(job.transcript)")
    #expect(job.standardError.contains("asking the job to save and end"), "\(job.transcript)")
    #expect(!job.standardError.contains("Starting it again"), "\(job.transcript)")
    // The run keeps its shards, and one rank its promise.
    let again = try TestSupport.run(command(["--ranks", "1"]) + Self.arguments, in: directory.url, timeLimit: 60)
    try #require(again.exitCode == 0, "\(again.transcript)")
    #expect(try state(in: directory.url) == Self.untouchedState(shards: 2))
  }

  /// Nobody is left to pass a signal on, so the job itself gets one.
  @Test func aJobWhoseScriptIsKilledSaves() throws {
    let directory = try TemporaryDirectory()
    let job = try run(
      command(["--ranks", "2", "--oversubscribe"]) + Self.arguments,
      """
      \(wait(for: "\"step\"", in: "run/events.jsonl"))
      mpirun=$(ps -o pid=,comm= --ppid $job | sed -n 's/ mpirun$//p')
      kill -9 $job
      for turn in $(seq 1000); do kill -0 $mpirun 2>/dev/null || break; sleep 0.01; done
      kill -0 $mpirun 2>/dev/null && echo "mpirun goes on"
      """, in: directory.url)
    #expect(job.exitCode == 137 && !job.standardOutput.contains("goes on"), "\(job.transcript)")
    #expect(job.standardOutput.contains("saved (75)") || job.standardError.contains("saved (75)"), "\(job.transcript)")
  }

  @Test(arguments: [0, 64, 65, 72, 74, 78])
  func endsThatNoRestartHelpsWithAreHandedOn(_ code: Int32) throws {
    let directory = try TemporaryDirectory()
    let program = try program("exit \(code)", in: directory.url)
    let job = try start(program, ["--ranks", "1"], in: directory.url)
    #expect(job.exitCode == code && job.standardError == "", "\(job.transcript)")
    #expect(starts(in: directory.url) == 1)
  }

  @Test func restartsWithoutProgressAreCounted() throws {
    let directory = try TemporaryDirectory()
    let program = try program("exit 71", in: directory.url)
    let job = try start(program, ["--ranks", "1", "--max-restarts", "2", "--back-off", "0"], in: directory.url)
    #expect(job.exitCode == 71 && starts(in: directory.url) == 3, "\(job.transcript)")
    #expect(
      job.standardError.hasSuffix(
        "launch/run: the job ended with 71 (a rank failed); giving up after 2 restarts without a newer checkpoint "
          + "(--max-restarts 2).\n"), "\(job.transcript)")
  }

  /// Each start leaves a newer checkpoint, so none counts; the fifth one is done.
  @Test func progressBeginsTheCountAnew() throws {
    let directory = try TemporaryDirectory()
    let program = try program(
      "n=$(wc -l <starts); mkdir -p run/checkpoints/step-0000000$n; [ $n -lt 5 ] && exit 70; exit 0", in: directory.url)
    let job = try start(program, ["--ranks", "1", "--max-restarts", "1", "--back-off", "0"], in: directory.url)
    #expect(job.exitCode == 0 && starts(in: directory.url) == 5, "\(job.transcript)")
  }

  @Test(arguments: ["60", "08"]) func aSignalEndsThePauseBeforeARestart(_ seconds: String) throws {
    let directory = try TemporaryDirectory()
    let program = try program("exit 71", in: directory.url)
    let job = try run(
      command(["--ranks", "1", "--back-off", seconds], program: program),
      wait(for: "Starting it again", in: "stderr") + "\nkill -TERM $job", in: directory.url)
    #expect(job.exitCode == 75 && job.seconds < 30 && starts(in: directory.url) == 1, "\(job.transcript)")
    #expect(job.standardError.contains("in \(Int(seconds) ?? 0) s, from the beginning"), "\(job.transcript)")
  }

  @Test func slotsAreCountedBeforeTheStart() throws {
    let directory = try TemporaryDirectory()
    let program = try program("exit 0", in: directory.url)
    try Data("# two\nlocalhost slots=2 max_slots=4\n".utf8).write(to: directory.url.appendingPathComponent("hosts"))
    for (options, found) in [
      (["--ranks", "5000"], #/not enough slots for 5000 ranks: this machine has \d+ cores; give fewer --ranks/#),
      (["--ranks", "3", "--hostfile", "hosts"], #/not enough slots for 3 ranks: the hosts localhost have 2 slots;/#),
      (["--ranks", "2", "--host", "localhost"], #/not enough slots for 2 ranks: the hosts localhost have 1 slots;/#),
    ] {
      let job = try TestSupport.run(command(options, program: program), in: directory.url, timeLimit: 30)
      #expect(job.exitCode == 78 && job.standardError.contains(found), "\(job.transcript)")
    }
    #expect(starts(in: directory.url) == 0)
    for options in [["--hostfile", "hosts"], ["--ranks", "2", "--host", "localhost", "--oversubscribe"]] {
      let job = try TestSupport.run(command(options, program: program), in: directory.url, timeLimit: 30)
      #expect(job.exitCode == 0, "\(job.transcript)")
    }
    #expect(starts(in: directory.url) == 4)
  }

  /// A host that loses its power, and one whose link is cut, which Open MPI by itself would never notice.
  @Test(
    .enabled(if: Hosts.obstacle == nil, Comment(rawValue: Hosts.obstacle ?? "")),
    arguments: ["killed", "cut off"])
  func aLostHostLeavesFewerRanksAndTheSameBits(_ fault: String) throws {
    let directory = try TemporaryDirectory()
    let hosts = try Hosts(count: 3)
    let job = try hosts.run(
      on: 0, command(["--back-off", "0"]) + Self.arguments, in: directory.url, timeLimit: 120,
      intervention: Intervention(afterOutput: "save  step ") {
        try fault == "killed" ? hosts.killHost(1) : hosts.cutLink(1)
      })
    try #require(job.exitCode == 0 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains("No answer from node1. Starting it again on 2 ranks in 0 s, from run/checkpoints/"),
      "\(job.transcript)")
    #expect(try state(in: directory.url) == Self.untouchedState(shards: 3))
  }

  @Test func ranksFollowHostsAndShards() throws {
    let directory = try TemporaryDirectory()
    let program = try program("exit 0", in: directory.url)
    try Data("nowhere.invalid slots=2\nlocalhost slots=1\n".utf8).write(
      to: directory.url.appendingPathComponent("hosts"))
    for (options, arguments, code, found, count) in [
      (["--hostfile", "hosts"], [], 78, "no answer from nowhere.invalid by ssh; take it off the list of hosts", 0),
      (
        ["--hostfile", "hosts"], ["--shards", "3"], 0,
        "no answer from nowhere.invalid; starting 1 ranks for the 3 shards of the run.", 1
      ),
      (
        ["--ranks", "3", "--oversubscribe"], ["--shards=2"], 0,
        "starting 2 ranks, not 3, because the run has 2 shards.", 3
      ),
      (
        ["--ranks", "4", "--oversubscribe"], ["--shards=02", "--method", "gossip"], 0,
        "starting 3 ranks, not 4, because the run has 2 shards and 1 server.", 6
      ),
      (
        ["--hostfile", "hosts"], ["--shards", "2", "--method", "gosgd"], 78,
        "no answer from nowhere.invalid; too few ranks can start (1): --method gosgd needs 3, one for each of its 2 shards and "
          + "1 server; give --ranks 3, and as many slots or --oversubscribe.", 6
      ),
      (
        ["--hostfile", "hosts"], ["--shards", "2", "--method", "downpour"], 78,
        "too few ranks can start (1): --method downpour needs 2, one beside 1 server;", 6
      ),
      (
        ["--hostfile", "hosts", "--oversubscribe"], ["--shards", "2", "--method", "gossip"], 0,
        "no answer from nowhere.invalid; starting 3 ranks for the 2 shards and 1 server of the run.", 9
      ),
      (
        ["--ranks", "2", "--oversubscribe"], ["--shards", "2", "--method", "backup-workers"], 78,
        "launch/run: too few ranks can start (2): --method backup-workers needs 3", 9
      ),
    ] {
      let job = try TestSupport.run(
        command(options, program: program) + arguments, in: directory.url, timeLimit: 30)
      #expect(job.exitCode == code && job.standardError.contains(found), "\(job.transcript)")
      #expect(starts(in: directory.url) == count, "\(options)")
    }
  }
}
