import Foundation
import TestSupport
import Testing
import Training

/// Asynchronous methods whose workers train parameters of their own: what each conserves, that a worker alone is plain SGD, that
/// the slow do less, and that runs go on.
@Suite(.serialized) struct OwnPaceTests {
  /// Two epochs of five steps; the last of an epoch has two samples, so that parts have none.
  private static let small =
    synthetic("1x8x8", train: 34, test: 20) + [
      "--model", "cnn", "--batch-size", "8", "--epochs", "2", "--seed", "3", "--learning-rate", "0.02",
      "--threads-per-shard", "1", "--save-every", "1", "--keep", "99",
    ]
  /// Sixty steps of twelve samples.
  private static let longer =
    synthetic("1x8x8", train: 720, test: 20) + [
      "--model", "mlp", "--batch-size", "12", "--epochs", "1", "--threads-per-shard", "1", "--keep", "99",
    ]
  /// A rate that moves nothing, for runs that go on from one whose shards have parted.
  private static let still = [
    "--learning-rate", "1e-30", "--schedule", "constant", "--warmup-epochs", "0", "--allow-changed",
  ]

  /// A worker alone takes all tickets in their order and meets nobody, or a center that attracts nothing: plain SGD of one shard.
  @Test(arguments: [["--clip-norm", "0.5", "--nesterov"], ["--optimizer", "adamw"]])
  func aSingleWorkerIsPlain(_ optimizer: [String]) throws {
    let directory = try TemporaryDirectory()
    _ = try trainAsynchronously(Self.small + optimizer + ["--shards", "1"], .alone, in: directory, "alone")
    let alone = try StoredVectors(directory, "alone/checkpoints/step-00000010", shards: 0)
    for (index, method) in [
      ["asynchronous-easgd", "--local-steps", "99", "--servers", "2"],
      ["asynchronous-easgd", "--local-steps", "1", "--elastic-rate", "0"], ["gossip"], ["gosgd"],
    ].enumerated() {
      let (summary, job) = try trainAsynchronously(
        Self.small + optimizer + ["--method"] + method, .ranks(index == 0 ? 3 : 2), in: directory, "own-\(index)")
      let own = try StoredVectors(directory, "own-\(index)/checkpoints/step-00000010", shards: 1)
      #expect(own.shards[0] == alone.run, "\(method)")
      #expect((own.run == alone.run) == (index > 1), "the center, or the worker")
      #expect(summary.tickets == [10] && summary.pushes?.first == (index == 1 ? 11 : 0))
      #expect(job.standardError.contains("no two runs have the same bits"), "\(job.transcript)")
    }
  }

  /// Where no gradient moves anything, the sum of all workers and the center is what it was, over segments and whatever meets when.
  @Test(arguments: [1, 2]) func elasticMeetingsConserve(servers: Int) throws {
    let directory = try TemporaryDirectory()
    let arguments =
      Self.longer + [
        "--method", "asynchronous-easgd", "--servers", "\(servers)", "--local-steps", "2", "--save-every", "8",
      ]
    _ = try trainAsynchronously(arguments + ["--elastic-rate", "0.1"], .ranks(2 + servers), in: directory)
    let (summary, job) = try trainAsynchronously(
      arguments + Self.still + ["--resume", "run/checkpoints/step-00000016", "--log-every", "5"], .ranks(2 + servers),
      in: directory, "still")
    let before = try StoredVectors(directory, "run/checkpoints/step-00000016", shards: 2)
    #expect(distance(before.shards[0], before.shards[1]) > 1e-3, "workers have parted")
    for step in [24, 40, 60] {
      let after = try StoredVectors(directory, "still/checkpoints/step-000000\(step)", shards: 2)
      #expect(distance(sum(before.shards + [before.run]), sum(after.shards + [after.run])) < 2e-5, "step \(step)")
      #expect(distance(before.run, after.run) > 1e-4 && before.shards != after.shards, "they have met")
    }
    // 44 steps of two parts, of which every second of a worker meets, and one more at most before its next is there.
    #expect(summary.tickets?.reduce(0, +) == 88, "\(job.transcript)")
    #expect(summary.pushes?.allSatisfy { (42...46).contains($0) } == true, "\(job.transcript)")
    #expect(summary.staleness?.reduce(0, +) == summary.pushes?.reduce(0, +), "\(job.transcript)")
  }

  /// The units of all weights are the same for ever, and so is the weighted sum where no gradient moves anything: in every
  /// checkpoint, where nothing is on its way, and over a stop.
  @Test func weightsAreConserved() throws {
    let directory = try TemporaryDirectory()
    let arguments = Self.longer + ["--method", "gosgd", "--push-probability", "0.5", "--save-every", "8"]
    _ = try trainAsynchronously(arguments, .ranks(4), in: directory)
    let (first, _) = try trainAsynchronously(
      arguments + Self.still + ["--resume", "run/checkpoints/step-00000008"], .ranks(4), in: directory, "still")
    _ = try trainAsynchronously(
      arguments + Self.still + ["--resume", "still/checkpoints/step-00000024"], .ranks(4), in: directory, "rest")
    let before = try StoredVectors(directory, "run/checkpoints/step-00000008", shards: 3)
    let units = 3 * GossipWeight.start(shards: 3)
    let center = sum(before.shards, weights: before.weights.map { $0 / units })
    #expect(distance(before.shards[0], before.shards[1]) > 1e-3, "workers have parted")
    #expect(distance(before.run, center) < 1e-6)
    for (run, step) in [("still", 16), ("still", 24), ("still", 60), ("rest", 32), ("rest", 60)] {
      let after = try StoredVectors(directory, "\(run)/checkpoints/step-000000\(step)", shards: 3)
      #expect(after.weights.reduce(0, +) == units && after.weights.allSatisfy { $0 >= 1 }, "\(after.weights)")
      #expect(distance(center, sum(after.shards, weights: after.weights.map { $0 / units })) < 2e-5)
      #expect(distance(center, after.run) < 2e-5 && before.shards != after.shards, "\(run), step \(step)")
    }
    // About every second part is pushed.
    let pushes = first.pushes ?? []
    #expect(pushes.count == 3 && (50..<110).contains(pushes.reduce(0, +)), "\(pushes)")
    #expect(first.staleness?.reduce(0, +) == pushes.reduce(0, +))
  }

  /// One pull: the one who asked has the mean of both, and who was asked what it had.
  @Test func whoAsksTakesTheMean() throws {
    let directory = try TemporaryDirectory()
    let arguments =
      synthetic("1x8x8", train: 34, test: 20) + [
        "--model", "mlp", "--batch-size", "8", "--epochs", "1", "--method", "gossip", "--threads-per-shard", "1",
      ]
    _ = try trainAsynchronously(
      arguments + ["--local-steps", "99", "--save-every", "2", "--keep", "99", "--warmup-epochs", "0"], .ranks(3),
      in: directory)
    // Steps 3 to 5 have six parts: the slow worker takes one or two of them and asks for nothing, the other asks once.
    let (summary, job) = try trainAsynchronously(
      arguments + Self.still + [
        "--resume", "run/checkpoints/step-00000002", "--local-steps", "4", "--delay", "1:300",
      ], .ranks(3), in: directory, "still")
    let before = try StoredVectors(directory, "run/checkpoints/step-00000002", shards: 2)
    let after = try StoredVectors(directory, "still/checkpoints/step-00000005", shards: 2)
    #expect(summary.pushes == [1, 0], "\(job.transcript)")
    #expect(before.shards[0] != before.shards[1] && distance(after.shards[1], before.shards[1]) < 1e-20)
    let mean = zip(before.shards[0], before.shards[1]).map { $0 + 0.5 * ($1 - $0) }
    #expect(distance(after.shards[0], mean) < 1e-20)
    #expect(distance(sum(after.shards).map { $0 / 2 }, after.run) < 1e-6)
  }

  private static let methods = [
    ["asynchronous-easgd", "--local-steps", "4"], ["gossip", "--local-steps", "4"],
    ["gosgd", "--push-probability", "0.2"],
  ]

  private static let learning =
    synthetic("1x8x8", train: 480, test: 200) + [
      "--model", "mlp", "--batch-size", "24", "--epochs", "4", "--learning-rate", "0.02", "--threads-per-shard", "1",
      "--method",
    ]

  /// Far better than by chance, where all workers go at about the same pace.
  @Test(arguments: methods) func theyLearn(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.learning + method + ["--delay", "4"], .ranks(4), in: directory)
    #expect(summary.test_accuracy > 0.5 && summary.final_train_loss < 1, "\(job.transcript)")
    let events = try contents(of: directory)["run/events.jsonl"].map { String(decoding: $0, as: UTF8.self) } ?? ""
    let last = try #require(events.split(separator: "\n").last { $0.contains(#""event":"step""#) })
    let bytes = try #require(last.firstMatch(of: #/"gradient_bytes":(\d+)/#).flatMap { Int($0.1) })
    // Vectors that were sent, by the server or by the worker that sends most.
    let pushes = try #require(summary.pushes).reduce(0, +)
    let vector = 4 * 304_144
    #expect(bytes % vector == 0 && (pushes / 4...pushes).contains(bytes / vector), "\(bytes) bytes, \(pushes) pushes")
  }

  @Test(arguments: methods) func aSlowWorkerDoesLess(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      Self.learning + method + ["--delay", "0:20"], .ranks(4), in: directory)
    let tickets = try #require(summary.tickets)
    #expect(tickets.reduce(0, +) == 240 && 2 * tickets[0] < max(tickets[1], tickets[2]), "\(job.transcript)")
  }

  /// Running statistics are parameters like others.
  @Test(arguments: methods) func modelsWithBatchNormTrain(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let (summary, job) = try trainAsynchronously(
      synthetic("3x8x8", train: 60, test: 20) + [
        "--model", "resnet20-cifar", "--batch-size", "12", "--steps", "10", "--optimizer", "lars", "--clip-norm", "1",
        "--threads-per-shard", "1", "--method",
      ] + method, .ranks(3), in: directory)
    #expect(summary.steps == 10 && summary.final_train_loss.isFinite && summary.test_total == 20, "\(job.transcript)")
  }

  /// Each of a comparison's runs has its settings, a shard for each of its workers, and bytes.
  @Test func theyAreCompared() throws {
    let directory = try TemporaryDirectory()
    let runs = Self.methods.enumerated().map { index, method in
      "  run\(index):\n    method: \(method[0])\n    \(method[1].dropFirst(2)): \(method[2])\n"
    }
    let push = "  push:\n    method: stochastic-push\n    push-overlap: true\n"
    let base = """
      base:
        model: mlp
        dataset: synthetic
        synthetic-shape: 1x8x8
        synthetic-train: 480
        synthetic-test: 50
        batch-size: 24

      """
    try (base + "runs:\n" + push + runs.joined()).write(
      to: directory.url.appendingPathComponent("methods.yaml"), atomically: true, encoding: .utf8)
    let job = try Launch.ranks(3).run(
      ["compare", "methods.yaml", "--out", "out", "--epochs", "3"], in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let pushed = directory.url.appendingPathComponent("out/runs/push-seed42/config.yaml")
    #expect(try String(contentsOf: pushed, encoding: .utf8).contains("push-overlap: true\n"))
    for index in runs.indices {
      let run = directory.url.appendingPathComponent("out/runs/run\(index)-seed42")
      let settings = try String(contentsOf: run.appendingPathComponent("config.yaml"), encoding: .utf8)
      let method = Self.methods[index]
      #expect(settings.contains("shards: 2\n") && settings.contains("\(method[1].dropFirst(2)): \(method[2])\n"))
      let events = try String(contentsOf: run.appendingPathComponent("events.jsonl"), encoding: .utf8)
      #expect(!events.isEmpty && events.contains(#/"gradient_bytes":[1-9]/#), "\(runs[index])")
    }
  }

  private static let endless =
    synthetic("1x8x8", train: 24_000, test: 20) + [
      "--model", "mlp", "--batch-size", "12", "--steps", "20000", "--save-every", "100", "--learning-rate", "0.01",
      "--watchdog", "2", "--log-every", "10", "--method",
    ]

  /// A signal ends the segment at hand; the same command then goes on.
  @Test(arguments: methods) func aSignalSavesAndEnds(_ method: [String]) throws {
    let directory = try TemporaryDirectory()
    let run = directory.url.appendingPathComponent("run").path
    try expectToGoOnAfterASignal(Self.endless + method, ranks: 3, in: directory)
    let newest = try #require(
      FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints").filter { $0.hasPrefix("step-") }.max())
    let state = try StoredVectors(directory, "run/checkpoints/\(newest)", shards: 2)
    if method[0] == "gosgd" { #expect(state.weights.reduce(0, +) == 2 * GossipWeight.start(shards: 2)) }
  }

  @Test func aKilledWorkerEndsTheJob() throws { try expectToGoOnAfterAKill(of: 1, Self.endless + Self.methods[1]) }

  @Test(arguments: [0, 2]) func aStoppedRankIsNamed(rank: Int) throws {
    let directory = try TemporaryDirectory()
    let run = directory.url.appendingPathComponent("run").path
    let job = try mpirun(
      np: 3, [product("swift-dp-train"), "train", "--run-dir", run] + Self.endless + Self.methods[2],
      options: ["-q", "--bind-to", "none"], timeLimit: 60,
      intervention: Intervention(afterOutput: "save  step ") {
        kill(try #require(processes(of: directory.url.path)[rank]), SIGSTOP)
      })
    #expect(job.exitCode == 70 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains("Rank \(rank) (") && job.standardError.contains(") is stopped, "), "\(job.transcript)")
    try expectNoProcesses(of: directory)
  }

  @Test func whatCannotBeIsRefused() throws {
    let directory = try TemporaryDirectory()
    for (arguments, ranks, sentence) in [
      (["--method", "gossip"], 1, "--servers 1 leaves none of 1 rank to work: start at least 2 ranks"),
      (
        ["--method", "gossip", "--servers", "2"], 4,
        "--servers 2 with --method gossip cannot be: give 1: it is a coordinator, who keeps no parameters."
      ),
      (["--method", "gosgd", "--servers", "3"], 4, "--servers 3 with --method gosgd cannot be: give 1"),
      (["--method", "gossip", "--shards", "3"], 3, "--method gossip has 3 shards on 2 workers: give each worker one"),
      (
        ["--method", "asynchronous-easgd", "--shards", "3"], 3, "--method asynchronous-easgd has 3 shards on 2 workers"
      ),
      (
        ["--method", "gosgd", "--local-steps", "4"], 2,
        "--local-steps 4 with --method gosgd cannot be: give --method local, easgd, asynchronous-easgd or gossip"
      ),
      (
        ["--method", "gossip", "--push-probability", "0.1"], 2,
        "--push-probability 0.1 with --method gossip cannot be: give --method gosgd, or leave it out"
      ),
      (["--method", "gosgd", "--push-probability", "1.5"], 2, "--push-probability 1.5 cannot be: give 0 to 1"),
      (["--method", "gossip", "--elastic-rate", "0.1"], 2, "--elastic-rate 0.1 with --method gossip cannot be"),
      (
        ["--method", "gosgd", "--average-parameters", "0.9"], 2,
        "--average-parameters 0.9 with --method gosgd cannot be: leave one of them out"
      ),
      (
        ["--method", "asynchronous-easgd", "--momentum-correction"], 2,
        "--momentum-correction with --method asynchronous-easgd cannot be"
      ),
      (["--method", "gossip", "--all-reduce", "ring"], 2, "--all-reduce ring with --method gossip cannot be"),
      (["--method", "gossip", "--overlap", "on"], 2, "--overlap on with --method gossip cannot be"),
      (["--method", "gossip", "--compress", "float16"], 2, "--compress float16 with --method gossip cannot be"),
    ] {
      let job = try Launch.refused(ranks).run(
        ["train", "--run-dir", "run"] + Self.small + arguments, in: directory.url)
      #expect(job.exitCode == 64 && job.standardError.contains("error (64): \(sentence)"), "\(job.transcript)")
    }
  }
}
