import Foundation
import TensorFiles
import TestSupport
import Testing

/// Methods with parameter servers: nothing is lost or done twice, a single worker is synchronous SGD, the slow do less, and runs
/// go on.
@Suite(.serialized) struct ServerTests {
  /// Two epochs of five steps; the last of an epoch has two samples.
  private static let small =
    synthetic("1x8x8", train: 34, test: 20) + [
      "--model", "cnn", "--batch-size", "8", "--epochs", "2", "--seed", "3", "--learning-rate", "0.02",
      "--threads-per-shard", "1",
    ]
  /// Sixty steps of eight samples.
  private static let longer =
    synthetic("1x8x8", train: 480, test: 20) + [
      "--model", "mlp", "--batch-size", "8", "--epochs", "1", "--learning-rate", "0.01", "--threads-per-shard", "1",
    ]

  /// With one worker every gradient is computed at the newest parameters: synchronous SGD, to the bit, on any number of servers.
  @Test func aSingleWorkerIsSynchronous() throws {
    let directory = try TemporaryDirectory()
    for (number, optimizer) in [[], ["--optimizer", "adagrad"], ["--momentum", "0"]].enumerated() {
      let alone = try trainAsynchronously(
        Self.small + ["--shards", "1"] + optimizer, .alone, in: directory, "alone-\(number)")
      for (index, method) in [
        ["downpour"], ["downpour", "--servers", "2", "--staleness", "scale", "--delay-compensation", "0.5"],
        ["backup-workers", "--backup", "0"],
      ].enumerated() {
        let (summary, job) = try trainAsynchronously(
          Self.small + optimizer + ["--method"] + method, .ranks(method.contains("2") ? 3 : 2), in: directory,
          "servers-\(number)-\(index)")
        #expect(summary.state_sha256 == alone.summary.state_sha256, "\(method) \(optimizer)")
        #expect(summary.tickets == [10] && summary.dropped == 0)
        #expect(summary.staleness == [summary.pushes?.reduce(0, +) ?? 0], "\(job.transcript)")
        #expect(job.standardError.contains("no two runs have the same bits"))
      }
    }
  }

  /// Every part of every batch is computed once and every push applied once, however seldom they are pushed and fetched.
  @Test(arguments: [(1, 1, 1), (2, 1, 1), (1, 3, 1), (2, 1, 3), (1, 2, 2)])
  func everythingCountsOnce(servers: Int, pushEvery: Int, fetchEvery: Int) throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.longer + [
        "--method", "downpour", "--servers", "\(servers)", "--push-every", "\(pushEvery)", "--fetch-every",
        "\(fetchEvery)", "--log-every", "20", "--staleness", "scale",
      ], .ranks(2 + servers), in: directory)
    let (tickets, pushes) = (try #require(summary.tickets), try #require(summary.pushes))
    #expect(summary.steps == 60 && summary.test_total == 20 && summary.final_train_loss.isFinite)
    #expect(tickets.reduce(0, +) == 120 && tickets.count == 2, "\(job.transcript)")
    #expect(pushes.count == servers && Set(pushes).count == 1)
    if pushEvery == 1 { #expect(pushes[0] == 120) } else { #expect((120 / pushEvery..<120).contains(pushes[0])) }
    #expect(summary.staleness?.reduce(0, +) == pushes.reduce(0, +))
    #expect(
      job.standardOutput.contains("parts of batches by worker ") && job.standardOutput.contains("staleness mean "))
    let events = try String(contentsOf: directory.url.appendingPathComponent("run/events.jsonl"), encoding: .utf8)
    // After steps 1, 20, 40 and 60.
    #expect(events.split(separator: "\n").filter { $0.contains(#""event":"asynchronous""#) }.count == 4)
  }

  /// Where no gradient moves anything there is nothing to be compensated: not what batch norms have measured either.
  @Test func runningStatisticsAreNotCompensated() throws {
    let directory = try TemporaryDirectory()
    let arguments =
      synthetic("3x8x8", train: 240, test: 20) + [
        "--model", "resnet20-cifar", "--batch-size", "8", "--steps", "30", "--learning-rate", "1e-30",
        "--threads-per-shard", "1", "--method", "downpour", "--delay",
      ]
    var measured: [[Float]] = []
    for (name, further) in [("plain", ["random:5"]), ("compensated", ["random:5", "--delay-compensation", "100"])] {
      _ = try trainAsynchronously(arguments + further, .ranks(3), in: directory, name)
      let file = try SafetensorsFile(path: directory.url.appendingPathComponent("\(name)/model.safetensors").path)
      measured.append(
        try file.tensors.filter { $0.name.hasSuffix("running_var") }.flatMap { try file.floats($0.name) })
    }
    #expect(measured[0].count > 100 && measured[0].count == measured[1].count)
    // Batches differ, and come in another order.
    #expect(zip(measured[0], measured[1]).allSatisfy { $1 > 0 && $1 < 4 * $0 && $0 < 4 * $1 }, "\(measured)")
  }

  /// However many gradients are pushed together, running statistics go no further than to what was measured.
  @Test func runningStatisticsOfManyPartsStayVariances() throws {
    let directory = try TemporaryDirectory()
    let arguments =
      synthetic("3x8x8", train: 240, test: 20) + [
        "--model", "resnet20-cifar", "--batch-size", "4", "--steps", "48", "--learning-rate", "1e-30",
        "--threads-per-shard", "1", "--method", "downpour", "--push-every", "24",
      ]
    _ = try trainAsynchronously(arguments, .ranks(2), in: directory)
    let file = try SafetensorsFile(path: directory.url.appendingPathComponent("run/model.safetensors").path)
    for tensor in file.tensors where tensor.name.hasSuffix("running_var") {
      #expect(try file.floats(tensor.name).allSatisfy { $0 > 0 }, "\(tensor.name)")
    }
  }

  @Test func aSlowWorkerDoesLess() throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.longer + ["--method", "downpour", "--delay", "1:40"], .ranks(4), in: directory)
    let tickets = try #require(summary.tickets)
    #expect(tickets.count == 3 && tickets.reduce(0, +) == 180)
    #expect(tickets[1] < min(tickets[0], tickets[2]), "\(job.transcript)")
  }

  /// The first two of three gradients make each step; those of a slow worker are dropped, and it goes on with the newest step.
  @Test func backupWorkersLeaveTheSlowBehind() throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.longer + ["--method", "backup-workers", "--backup", "1", "--delay", "1:40"], .ranks(4), in: directory)
    let tickets = try #require(summary.tickets)
    #expect(summary.steps == 60 && summary.pushes == [120] && summary.staleness == [120], "\(job.transcript)")
    #expect(tickets.reduce(0, +) == 120 + (summary.dropped ?? 0) && (summary.dropped ?? 0) > 0)
    #expect(tickets[0] <= 60 && tickets[2] <= 60 && tickets[1] < 40, "\(job.transcript)")
  }

  /// What was trained on are the samples of gradients that were taken, not of those that came too late.
  @Test func droppedGradientsTrainNothing() throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.oneBackup(train: 540, "--batch-size 9 --epochs 1 --delay 1:40"), .ranks(4), in: directory)
    #expect(try #require(summary.dropped) > 0, "\(job.transcript)")
    // Sixty steps of two parts of three samples.
    #expect(try trainedSamples(directory) == 360)
    #expect(job.standardError.contains("step  60/60"), "\(job.transcript)")
  }

  /// Of a batch with fewer samples than workers, shards without a sample take no other's place.
  @Test func emptyShardsTakeNoPlace() throws {
    let directory = try TemporaryDirectory()
    let (summary, _) = try trainAsynchronously(
      Self.oneBackup(train: 2, "--batch-size 8 --steps 20 --delay 0:5"), .ranks(4), in: directory)
    #expect(try summary.steps == 20 && trainedSamples(directory) == 40)
  }

  /// Also at the beginning of a segment: a worker that comes late computes at what others have made by then.
  @Test func backupWorkersNeverComputeAtOldParameters() throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.longer + [
        "--method", "backup-workers", "--backup", "1", "--log-every", "2", "--save-every", "2", "--evaluate-every", "2",
      ], .ranks(4), in: directory)
    #expect(summary.steps == 60 && summary.staleness == [120], "\(job.transcript)")
  }

  private static func oneBackup(train: Int, _ settings: String) -> [String] {
    synthetic("1x8x8", train: train, test: 20)
      + ["--model", "mlp", "--learning-rate", "0.01", "--threads-per-shard", "1", "--method", "backup-workers"]
      + ["--backup", "1"] + settings.split(separator: " ").map(String.init)
  }

  private func trainedSamples(_ directory: TemporaryDirectory) throws -> Int? {
    let events = try String(contentsOf: directory.url.appendingPathComponent("run/events.jsonl"), encoding: .utf8)
    return events.matches(of: /"trained_samples":(\d+)/).compactMap { Int($0.1) }.max()
  }

  /// From a checkpoint, on other numbers of workers and servers; slots go along.
  @Test(arguments: ["downpour", "backup-workers"]) func aRunGoesOn(_ method: String) throws {
    let directory = try TemporaryDirectory()
    let isDownpour = method == "downpour"
    let arguments =
      Self.small + ["--method", method] + (isDownpour ? ["--shards", "2"] : ["--backup", "0", "--shards", "2"])
    _ = try trainAsynchronously(arguments + ["--save-every", "3", "--keep", "9"], .ranks(3), in: directory)
    for (ranks, servers) in isDownpour ? [(2, 1), (3, 1), (4, 2)] : [(3, 1)] {
      let name = "on-\(ranks)-\(servers)"
      let (summary, job) = try trainAsynchronously(
        arguments + ["--resume", "run/checkpoints/step-00000003", "--servers", "\(servers)"], .ranks(ranks),
        in: directory, name)
      #expect(summary.steps == 10 && job.standardError.contains("10 steps, 3 done"), "\(job.transcript)")
      // Six samples a step in two parts, and seven steps of them.
      if isDownpour { #expect(summary.tickets?.reduce(0, +) == 14) }
    }
    // One worker takes the parts in their order, so that where it goes on makes no difference: slots are all there.
    if isDownpour {
      let single = Self.small + ["--method", method, "--shards", "1"]
      let whole = try trainAsynchronously(
        single + ["--servers", "2", "--save-every", "3", "--keep", "9"], .ranks(3), in: directory, "single")
      let rest = try trainAsynchronously(
        single + ["--servers", "1", "--resume", "single/checkpoints/step-00000003"], .ranks(2), in: directory, "rest")
      #expect(rest.summary.state_sha256 == whole.summary.state_sha256)
    }
  }

  private static let endless =
    synthetic("1x8x8", train: 24_000, test: 20) + [
      "--model", "mlp", "--batch-size", "12", "--steps", "20000", "--save-every", "100", "--learning-rate", "0.01",
      "--watchdog", "2", "--log-every", "10", "--method", "downpour", "--shards", "2",
    ]

  /// A signal ends the segment at hand; the same command then goes on.
  @Test func aSignalSavesAndEnds() throws {
    let directory = try TemporaryDirectory()
    try expectToGoOnAfterASignal(Self.endless, ranks: 2, in: directory)
  }

  @Test(arguments: [1, 2]) func aStoppedRankIsNamed(rank: Int) throws {
    let directory = try TemporaryDirectory()
    let run = directory.url.appendingPathComponent("run").path
    let job = try mpirun(
      np: 3, [product("swift-dp-train"), "train", "--run-dir", run] + Self.endless,
      options: ["-q", "--bind-to", "none"], timeLimit: 60,
      intervention: Intervention(afterOutput: "save  step ") {
        kill(try #require(processes(of: directory.url.path)[rank]), SIGSTOP)
      })
    #expect(job.exitCode == 70 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains("Rank \(rank) (") && job.standardError.contains(") is stopped, "), "\(job.transcript)")
    try expectNoProcesses(of: directory)
  }

  /// A job without one of its ranks ends, and the same command goes on from its checkpoint.
  @Test(arguments: [0, 2]) func aKilledRankEndsTheJob(rank: Int) throws {
    try expectToGoOnAfterAKill(of: rank, Self.endless)
  }

  @Test func whatCannotBeIsRefused() throws {
    let directory = try TemporaryDirectory()
    let downpour = ["--method", "downpour"]
    for (arguments, ranks, sentence) in [
      (
        ["--servers", "2"], 1,
        "--servers 2 with --method synchronous cannot be: give --method downpour, backup-workers, asynchronous-easgd, gossip or "
          + "gosgd, or leave it out"
      ),
      (downpour + ["--servers", "0"], 2, "--servers 0 cannot be: give at least 1"),
      (downpour, 1, "--servers 1 leaves none of 1 rank to work: start at least 2 ranks"),
      (
        downpour + ["--shards", "1"], 3,
        "2 ranks beside 1 server cannot host 1 shard: start at most 1 rank beside 1 server"
      ),
      (
        downpour + ["--optimizer", "lars"], 2, "--optimizer lars with --method downpour cannot be: give sgd or adagrad"
      ),
      (downpour + ["--clip-norm", "1"], 2, "--clip-norm 1.0 with --method downpour cannot be: leave it out"),
      (downpour + ["--average-parameters", "0.9"], 2, "--average-parameters 0.9 with --method downpour"),
      (downpour + ["--compress", "float16"], 2, "--compress float16 with --method downpour cannot be"),
      (downpour + ["--overlap", "on"], 2, "--overlap on with --method downpour cannot be"),
      (downpour + ["--update", "sliced"], 2, "--update sliced with --method downpour cannot be"),
      (downpour + ["--all-reduce", "ring"], 2, "--all-reduce ring with --method downpour cannot be"),
      (downpour + ["--record-gradients", "2"], 2, "--record-gradients 2 with --method downpour cannot be"),
      (downpour + ["--backup", "2"], 2, "--backup 2 with --method downpour cannot be: give --method backup-workers"),
      (
        downpour + ["--delay-compensation", "0.1", "--fetch-every", "2"], 2,
        "--delay-compensation 0.1 with --fetch-every 2 cannot be"
      ),
      (
        downpour + ["--delay-compensation", "0.1", "--push-every", "2"], 2,
        "--delay-compensation 0.1 with --push-every 2 cannot be"
      ),
      (["--method", "backup-workers", "--backup", "2"], 3, "--backup 2 of 2 workers leaves no gradient"),
      (
        ["--method", "backup-workers", "--servers", "2"], 4,
        "--servers 2 with --method backup-workers cannot be: give 1"
      ),
      (["--method", "backup-workers", "--shards", "3"], 3, "--method backup-workers has 3 shards on 2 workers"),
      (["--delay", "fast"], 1, "--delay fast cannot be: give RANK:MS, MS, random:MS or exponential:MS"),
    ] {
      let job = try Launch.refused(ranks).run(
        ["train", "--run-dir", "run"] + Self.small + arguments, in: directory.url)
      #expect(job.exitCode == 64 && job.standardError.contains("error (64): \(sentence)"), "\(job.transcript)")
    }
  }
}
