import Foundation
import TestSupport
import Testing

/// How a training job ends when its place, its launcher or its numbers will not do.
@Suite(.serialized) struct EndsOfARunTests {
  static let small =
    synthetic("1x6x6", train: 20, test: 10) + ["--model", "mlp", "--batch-size", "10", "--steps", "4"] + [
      "--warmup-epochs", "0",
    ]

  @Test(arguments: [Launch.alone, .ranks(3)]) func aRunDirectoryThatIsAFileIs74(_ launch: Launch) throws {
    let workbench = try Workbench()
    try workbench.write("file", [1])
    for (path, reason) in [
      ("file", "not a directory"), ("file/run", "not a directory"), ("/proc/run", "no such file or directory"),
    ] {
      let job = try launch.run(["train", "--run-dir", path] + Self.small, in: workbench.directory.url, timeLimit: 60)
      #expect(job.exitCode == 74 && job.standardOutput == "" && !job.timedOut, "\(job.transcript)")
      let text =
        "--run-dir \(path): cannot be written (\(reason)); give another directory with --run-dir, or free space."
      #expect(job.standardError == "error (74): \(text)\n")
    }
    #expect(try workbench.bytes("file") == [1])
  }

  @Test func everyRankKeepsALog() throws {
    let workbench = try Workbench()
    let job = try Launch.ranks(2).run(
      ["train", "--run-dir", "run", "--shards", "3"] + Self.small, in: workbench.directory.url, timeLimit: 60)
    try #require(job.exitCode == 0, "\(job.transcript)")
    for (rank, shards) in ["0", "1, 2"].enumerated() {
      let lines = try String(decoding: workbench.bytes("run/logs/rank-000\(rank).log"), as: UTF8.self)
        .split(separator: "\n")
      let first = try #require(lines.first)
      #expect(first.wholeMatch(of: /[-0-9]+T[:0-9]+\.\d{3}Z  rank \d of 2 on .+, shards .+/) != nil, "\(first)")
      #expect(first.contains("rank \(rank) of 2 on ") && first.contains(", shards \(shards), "))
      #expect(lines.contains { $0.contains("  step  1/4  loss ") } && lines.contains { $0.contains("  eval  epoch 2") })
      #expect(lines.last?.contains("  done  4 steps · state ") == true, "\(lines)")
    }
  }

  @Test func moreRanksThanShardsIs64() throws {
    try Workbench().expectError(
      "error (64): 3 ranks cannot host 2 shards: start at most 2 ranks, or raise --shards.",
      Self.small + ["--shards", "2"], .ranks(3))
  }

  @Test func errorsOfArgumentsArePrintedOnce() throws {
    try Workbench().expectError(
      "error (64): --schedule linear is not known; give one of constant, step, cosine, polynomial.",
      ["--schedule", "linear"], .ranks(3))
    try Workbench().expectError(
      "error (64): Unknown option '--bogus'. See swift-dp-train --help.", ["--bogus"], .ranks(3))
  }

  /// Runs ranks 0 and 1 with some arguments and rank 2 with others, as when a file differs on one host.
  private func unequal(
    _ arguments: [String], _ others: [String], in workbench: Workbench
  ) throws -> CommandResult {
    let program = [product("swift-dp-train"), "train", "--run-dir", "run"]
    return try mpirun(
      np: 2, program + arguments + [":", "-np", "1"] + program + others, options: ["-q", "--bind-to", "none"],
      in: workbench.directory.url, timeLimit: 60)
  }

  /// What one rank finds wrong ends all, and is said once.
  @Test func ranksThatDifferEndTogether() throws {
    let workbench = try Workbench()
    let sound = Workbench.mnist + Workbench.brief
    try workbench.write("other/train-labels-idx1-ubyte", idx([12], [UInt8](repeating: 2, count: 12)))
    for name in ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
      try workbench.write("other/\(name)", workbench.bytes("data/\(name)"))
    }
    let host = ProcessInfo.processInfo.hostName.split(separator: ".").first ?? ""
    for (others, code, text) in [
      (["--bogus"], 64, "Unknown option '--bogus'. See swift-dp-train --help."),
      (["--momentum", "2"], 64, "--momentum is 2.0; give a number from 0 up to, but not including, 1."),
      (
        ["--data-dir", "nowhere"], 65,
        "No train-images-idx3-ubyte or train-images-idx3-ubyte.gz in nowhere: give "
          + "--data-dir the directory that holds it."
      ),
      (
        ["--data-dir", "other"], 65,
        "rank 2 on HOST has read other data than rank 0 on HOST (mnist); give all hosts the "
          + "same files."
      ),
      (
        ["--seed", "8", "--save-every", "3"], 64,
        "rank 2 on HOST has other settings than rank 0 on HOST (seed 8, there "
          + "seed 42; save-every 3, there save-every 10min); give all ranks the same arguments and the same "
          + "--config."
      ),
    ] as [([String], Int32, String)] {
      let job = try unequal(sound, sound + others, in: workbench)
      #expect(job.exitCode == code && job.standardOutput == "" && !job.timedOut, "\(job.transcript)")
      let sentence = job.standardError.replacing(" on \(host)", with: " on HOST")
      #expect(sentence == "error (\(code)): \(text)\n", "\(job.transcript)")
      let run = workbench.directory.url.appendingPathComponent("run").path
      #expect(!FileManager.default.fileExists(atPath: run), "\(job.command)")
    }
  }

  /// The step is named, the run can be looked at, and there is no result.
  @Test(arguments: [Launch.alone, .ranks(3)]) func aDivergedRunIs72(_ launch: Launch) throws {
    let workbench = try Workbench()
    let job = try launch.run(
      ["train", "--run-dir", "run", "--learning-rate", "1e20", "--shards", "3"] + Self.small,
      in: workbench.directory.url, timeLimit: 60)
    #expect(job.exitCode == 72 && job.standardOutput == "" && !job.timedOut, "\(job.transcript)")
    let errors = job.standardError.split(separator: "\n").filter { $0.hasPrefix("error") }
    #expect(
      errors == [
        "error (72): training diverged: the loss of step 2 is not a number. Lower --learning-rate (1e+20), raise "
          + "--warmup-epochs, or set --clip-norm."
      ], "\(job.transcript)")
    #expect(job.standardError.hasSuffix((errors.last ?? "") + "\n"), "\(job.transcript)")
    let left = try FileManager.default.contentsOfDirectory(
      atPath: workbench.directory.url.appendingPathComponent("run").path)
    #expect(
      left.contains("events.jsonl") && !left.contains { $0.contains("summary") || $0.contains("model") }, "\(left)")
  }

  /// What a foreign launcher leaves: N processes, each a world of one.
  @Test func aForeignLauncherIs78() throws {
    let workbench = try Workbench()
    for (rank, size, name) in [
      ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"),
      ("PMI_RANK", "PMI_SIZE", "a PMI launcher (MPICH's or Intel's mpiexec)"),
    ] {
      for number in 0..<2 {
        let job = try run(
          [product("swift-dp-train"), "train", "--run-dir", "run"] + Self.small,
          environment: [rank: "\(number)", size: "2"], in: workbench.directory.url, timeLimit: 30)
        #expect(job.exitCode == 78 && job.standardOutput == "", "\(job.transcript)")
        let lines = job.standardError.split(separator: "\n")
        #expect(lines.count == (number == 0 ? 1 : 0), "\(job.transcript)")
        for line in lines {
          #expect(line.hasPrefix("error (78): \(name) started 2 processes, but this program's MPI ("), "\(line)")
        }
      }
    }
    #expect(!FileManager.default.fileExists(atPath: workbench.directory.url.appendingPathComponent("run").path))
  }

  /// A second job on a run directory waits for the first, and goes on when that ends.
  @Test func twoJobsDoNotShareARunDirectory() throws {
    let workbench = try Workbench()
    let script = """
      flock run/.lock sleep 1 & sleep 0.2
      "$@"
      """
    try FileManager.default.createDirectory(
      at: workbench.directory.url.appendingPathComponent("run"), withIntermediateDirectories: false)
    try workbench.write("run/.lock", [])
    let job = try run(
      ["sh", "-c", script, "sh", product("swift-dp-train"), "train", "--run-dir", "run"] + Self.small,
      in: workbench.directory.url)
    #expect(job.exitCode == 0 && job.seconds >= 0.9, "\(job.transcript)")
  }

  /// What `auto` takes for each bucket is on the screen.
  @Test func whatAutoChoosesIsSaid() throws {
    let workbench = try Workbench()
    let job = try Launch.ranks(2).run(
      [
        "train", "--dry-run", "1", "--model", "mlp", "--batch-size", "8", "--all-reduce", "auto", "--bucket-size",
        "4KiB",
      ]
        + synthetic("1x20x20", train: 20, test: 10), in: workbench.directory.url)
    #expect(job.exitCode == 0, "\(job.transcript)")
    let sum = job.standardError.split(separator: "\n").first { $0.hasPrefix(" sum ") } ?? ""
    #expect(
      sum.hasPrefix(
        " sum   auto (1 halving-doubling, 3 recursive-doubling, 2 ring) over shared memory, update in parts · 6 buckets, "
      ),
      "\(job.transcript)")
  }

  /// A dry run takes real steps and leaves nothing.
  @Test func aDryRunWritesNothing() throws {
    let workbench = try Workbench()
    let job = try Launch.ranks(2).run(
      ["train", "--run-dir", "run", "--dry-run", "2"] + Self.small, in: workbench.directory.url)
    #expect(job.exitCode == 0, "\(job.transcript)")
    #expect(job.standardOutput == "done  dry run of 2 steps: everything works; nothing was written\n")
    #expect(!FileManager.default.fileExists(atPath: workbench.directory.url.appendingPathComponent("run").path))
  }
}
