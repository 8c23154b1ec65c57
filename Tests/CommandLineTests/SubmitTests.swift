import Foundation
import TestSupport
import Testing
import Yams

/// The scripts in `launch/` are those that `submit` prints, and are what their readers take.
///
/// After a change on purpose, `UPDATE_SNAPSHOTS=1 launch/test --filter SubmitTests` writes them anew, for review.
@Suite struct SubmitTests {
  private static let scripts = ["slurm.sbatch", "slurm-array.sbatch", "pbs.sh", "lsf.sh", "k8s/mpijob.yaml"]
  private static let updates = ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] == "1"
  private static let shellcheck = try? run(["shellcheck", "--version"], timeLimit: 20)

  private func submit(_ arguments: [String]) throws -> CommandResult {
    try run([product("swift-dp-train"), "submit"] + arguments, timeLimit: 20)
  }

  private func printed(_ arguments: [String]) throws -> String {
    let result = try submit(arguments)
    try #require(result.exitCode == 0 && result.standardError == "", "\(result.transcript)")
    return result.standardOutput
  }

  /// A script names the command that prints it, which is run here.
  @Test(arguments: scripts)
  func readyScriptsAreWhatTheirCommandPrints(_ name: String) throws {
    let path = launchScript(name)
    let kept = try String(contentsOfFile: path, encoding: .utf8)
    let lines = kept.split(separator: "\n").drop { !$0.hasPrefix("# Printed by: ") }.prefix { $0 != "#" }
    let command = lines.map { $0.dropFirst($0.hasPrefix("# Printed by: ") ? 14 : 2) }.joined(separator: "\n")
    try #require(command.hasPrefix("swift-dp-train submit "), "\(command)")
    let result = try run(
      ["bash", "-c", command], environment: ["PATH": "\(productsDirectory().path):/usr/bin:/bin"], timeLimit: 20)
    try #require(result.exitCode == 0, "\(result.transcript)")
    if Self.updates { try Data(result.standardOutput.utf8).write(to: URL(fileURLWithPath: path)) }
    #expect(result.standardOutput == kept, "launch/\(name) differs; see SubmitTests on how to renew it")
  }

  @Test(arguments: ["slurm", "slurm --launcher mpirun", "slurm --sweep seed=1,2 --sweep model=mlp,cnn", "pbs", "lsf"])
  func scriptsAreBash(_ scheduler: String) throws {
    let text = try printed(
      scheduler.split(separator: " ").map(String.init) + [
        "--print", "--nodes", "3", "--time", "3h50m", "--directive=--partition=it's", "--before", "module load openmpi",
        "--program", "/opt/a b/swift-dp-train", "--", "--data-dir", "/data/it's $here", "--learning-rate", "0.1",
      ])
    #expect(text.contains("\nmodule load openmpi\n"))
    #expect(text.contains(#"'/opt/a b/swift-dp-train' train"#), "\(text)")
    #expect(text.contains(#"--data-dir '/data/it'\''s $here'"#), "\(text)")
    #expect(text.contains("--shards 3 ") && text.contains("--threads-per-shard 1 "), "\(text)")
    let directory = try TemporaryDirectory()
    let file = directory.url.appendingPathComponent("script.sh")
    try Data(text.utf8).write(to: file)
    let syntax = try run(["bash", "-n", file.path], timeLimit: 20)
    #expect(syntax.exitCode == 0 && syntax.standardError == "", "\(syntax.transcript)")
    if Self.shellcheck?.exitCode == 0 {
      let check = try run(["shellcheck", "--severity=warning", file.path], timeLimit: 60)
      #expect(check.exitCode == 0, "\(check.transcript)")
    }
  }

  /// What all schedulers end on: a stub of the trainer, and of what starts it, shows what a script does with each code.
  @Test(arguments: [(0, 0, false), (3, 0, true), (65, 0, false), (75, 50, true), (137, 10, false)])
  func slurmRequeuesWhatIsWorthIt(code: Int32, restarts: Int, requeued: Bool) throws {
    let directory = try TemporaryDirectory()
    for (name, text) in [
      ("srun", "#!/bin/sh\nexit \(code)\n"),
      ("scontrol", "#!/bin/sh\necho \"$@\" >>calls\necho JobState=RUNNING\n"),
      ("script", try printed(["slurm", "--print", "--", "--model", "mlp"])),
    ] {
      try writeProgram(text, to: directory.url.appendingPathComponent(name))
    }
    let job = try run(
      ["bash", "script"],
      environment: [
        "PATH": "\(directory.url.path):/usr/bin:/bin", "SLURM_JOB_ID": "17", "SLURM_JOB_NAME": "mnist",
        "SLURM_SUBMIT_DIR": directory.url.path, "SLURM_CPUS_PER_TASK": "1", "SLURM_RESTART_COUNT": "\(restarts)",
      ], in: directory.url, timeLimit: 20)
    let calls = (try? String(contentsOf: directory.url.appendingPathComponent("calls"), encoding: .utf8)) ?? ""
    #expect(job.exitCode == code && calls.contains("requeue 17\n") == requeued, "\(job.transcript)\n\(calls)")
  }

  @Test func kubernetesReadsTheJob() throws {
    let text = try printed([
      "k8s", "--print", "--name", "night-run", "--nodes", "3", "--ranks-per-node", "2", "--threads", "4", "--image",
      "images.example/swift-dp-train:1.0", "--", "--model", "cnn", "--data-dir", "/data/a: \"b\"", "--seed", "7",
    ])
    let root = try #require(try Yams.load(yaml: text) as? [String: Any])
    #expect(root["apiVersion"] as? String == "kubeflow.org/v2beta1" && root["kind"] as? String == "MPIJob")
    let spec = try #require(root["spec"] as? [String: Any])
    #expect(spec["slotsPerWorker"] as? Int == 2)
    let replicas = try #require(spec["mpiReplicaSpecs"] as? [String: Any])
    func container(_ name: String) throws -> [String: Any] {
      let template = try #require((replicas[name] as? [String: Any])?["template"] as? [String: Any])
      return try #require(((template["spec"] as? [String: Any])?["containers"] as? [[String: Any]])?.first)
    }
    #expect((replicas["Worker"] as? [String: Any])?["replicas"] as? Int == 3)
    let launcher = try container("Launcher")
    #expect(launcher["image"] as? String == "images.example/swift-dp-train:1.0")
    // All of them are texts, as Kubernetes wants them.
    let arguments = try #require(launcher["args"] as? [String])
    #expect(
      arguments == [
        "-q", "--bind-to", "none", "-np", "6", "swift-dp-train", "train", "--run-dir", "/runs/night-run", "--model",
        "cnn", "--data-dir", "/data/a: \"b\"", "--seed", "7", "--shards", "6", "--threads-per-shard", "4",
      ])
    let limits = (try container("Worker")["resources"] as? [String: Any])?["limits"] as? [String: Any]
    #expect(limits?["cpu"] as? String == "8")
  }

  @Test func mistakesAreFoundBeforeTheQueue() throws {
    for (arguments, found) in [
      (["slurm"], "submit needs --print"),
      (["sge", "--print"], "submit sge is not known; give one of slurm, pbs, lsf, k8s."),
      (["slurm", "--print", "--time", "4:00"], "--time 4:00 cannot be: give it as 4h, 90m or 3h50m."),
      (["slurm", "--print", "--name", "My Job"], "--name My Job cannot be: give small letters"),
      (["slurm", "--print", "--", "--modell", "cnn"], "Unknown option '--modell'"),
      (["slurm", "--print", "--", "--run-dir", "x"], "--run-dir among the arguments of train cannot be"),
      (["slurm", "--print", "--", "--model", "cnm"], "--model cnm is not known"),
      (["pbs", "--print", "--", "--batch-size", "0"], "--batch-size 0 cannot be"),
      (["lsf", "--print", "--", "--servers", "2"], "--servers 2 with --method synchronous cannot be"),
      (
        ["k8s", "--print", "--", "--all-reduce", "torus", "--compress", "sign"],
        "--compress sign with --all-reduce torus"
      ),
      (["slurm", "--print", "--", "--config", "none.yaml"], "none.yaml: cannot be read"),
      (["slurm", "--print", "--sweep", "model=cnn,cnm"], "--model cnm is not known"),
      (
        ["slurm", "--print", "--sweep", "method=local,gossip"], "a sweep of methods with and without servers cannot be"
      ),
      (["slurm", "--print", "--", "--method", "gossip"], "1 server of 1 rank cannot be: give more ranks than servers"),
      (["slurm", "--print", "--sweep", "seed"], "--sweep seed cannot be"),
      (["slurm", "--print", "--sweep", "sede=1,2"], "Unknown option '--sede'"),
      (["slurm", "--print", "--sweep", "seed=1,x"], "'x' is invalid"),
      (["slurm", "--print", "--before", "a\nb"], "a line break in an argument cannot be"),
      (["pbs", "--print", "--sweep", "seed=1,2"], "--sweep with pbs cannot be"),
    ] {
      let result = try submit(arguments)
      #expect(
        result.exitCode == 64 && result.standardOutput == "" && result.standardError.contains(found),
        "\(result.transcript)")
    }
  }

  /// Flags that depend on one another are tried together; ranks that are servers have no shard.
  @Test func whatTrainGetsFitsTheJob() throws {
    let steps = ["--print", "--sweep", "schedule=step", "--sweep", "milestones=1,2"]
    #expect(try submit(["slurm"] + steps).exitCode == 0)
    let gossip = ["--print", "--ranks-per-node", "4", "--", "--method", "gossip"]
    for scheduler in ["slurm", "pbs", "lsf"] {
      #expect(try printed([scheduler] + gossip).contains("--shards 3 --threads-per-shard 1"))
    }
    let elsewhere = ["k8s", "--print", "--", "--config", "/runs/of-the-volume.yaml"]
    let placement = ["--shards", "3", "--threads-per-shard", "2"]
    #expect(try printed(elsewhere + placement).contains("of-the-volume.yaml"))
    #expect(
      try submit(elsewhere).standardError.contains(
        "--config /runs/of-the-volume.yaml, which is not here cannot be: give --shards and --threads-per-shard"))
    // What a file says stays.
    let directory = try TemporaryDirectory()
    let file = directory.url.appendingPathComponent("run.yaml")
    try Data("method: gossip\nshards: 7\nthreads-per-shard: 2\n".utf8).write(to: file)
    for scheduler in ["slurm", "pbs", "lsf", "k8s"] {
      let script = try printed([scheduler, "--print", "--ranks-per-node", "8", "--", "--config", file.path])
      #expect(!script.contains("--shards") && !script.contains("--threads-per-shard"), "\(script)")
    }
  }
}
