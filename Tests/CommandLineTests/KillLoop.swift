import Foundation
import TestSupport
import Testing

/// A run that is disturbed again and again and started again each time, until all disturbances have been done and the run
/// is finished; where it finishes before, another one begins.
///
/// What must hold is checked after each start; every failure names the seed, the number and the kind of the disturbance.
struct KillLoop {
  static let shards = 4
  /// 121 steps an epoch, the last of 3 samples, so that a shard has none.
  private static let arguments =
    synthetic("1x8x8", train: 1203, test: 300)
    + ["--model", "mlp", "--dropout", "0.2", "--shards", "\(shards)", "--batch-size", "10", "--epochs", "3"]
    + ["--seed", "11", "--learning-rate", "0.02", "--log-every", "1"]
  static let lastStep = 363

  let seed: UInt64
  let arguments: [String]
  let untouched: Record
  let losses: [Int: Double]
  /// Called after each disturbance.
  var progress: (String) -> Void = { _ in }
  /// Where disturbances have landed, and how often.
  private(set) var places: [String: Int] = [:]
  private(set) var finishedRuns = 0
  private var random: SplitMix
  private var deadObjects = Self.deadSharedMemory()

  /// Trains the run that is never touched.
  ///
  /// - Parameter method: settings beside the usual ones.
  init(seed: UInt64, method: [String] = []) throws {
    self.seed = seed
    arguments = Self.arguments + method
    random = SplitMix(state: seed)
    let directory = try TemporaryDirectory()
    let run = directory.url.appendingPathComponent("run")
    let job = try Launch.alone.run(["train", "--run-dir", run.path] + arguments, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    untouched = try Record(job, directory: run)
    losses = try RunEvents(run).losses
  }

  /// Does all disturbances in a random order.
  mutating func run(_ disturbances: [Disturbance]) throws {
    var due = disturbances.shuffled(using: &random)[...]
    var done = 0
    var starts = 0
    while !due.isEmpty {
      let directory = try TemporaryDirectory()
      let run = directory.url.appendingPathComponent("run")
      // A killed mpirun leaves those of Open MPI, which the launch scripts remove.
      defer {
        let line = "source \(launchScript("lib.sh")); remove_dead_segments /dev/shm"
        _ = try? TestSupport.run(["bash", "-c", line])
      }
      while true {
        starts += 1
        try #require(starts < 3 * disturbances.count + 10, "seed \(seed): the run gets nowhere")
        let job = try start(run, due.first)
        if let place = job.place, let disturbance = due.popFirst() {
          done += 1
          places[place, default: 0] += 1
          progress("\(done)/\(disturbances.count)  \(disturbance) at \(place), ended with \(job.result.exitCode)")
        }
        if job.result.exitCode == 0 {
          try expectTheUntouchedBits(job, run)
          break
        }
      }
    }
  }

  /// One start, and what was done to it.
  private struct Job {
    var result: CommandResult
    /// What the run was at when it was disturbed; nil where it ended before.
    var place: String?
    /// For messages.
    var text: String
  }

  private mutating func start(_ run: URL, _ disturbance: Disturbance?) throws -> Job {
    let ranks = Int.random(in: (disturbance == .stopRank ? 2 : 1)...Self.shards, using: &random)
    let before = try RunEvents(run).stepCount
    let moment = disturbance?.moment(using: &random)
    let choice = Int.random(in: 0..<Self.shards, using: &random)
    let blow = disturbance.map { Blow($0, ranks: ranks, run: run, stepsBefore: before, choice: choice) }
    var program = [product("swift-dp-train"), "train", "--run-dir", run.path, "--save-every", "5"] + arguments
    if disturbance == .stopRank { program += ["--watchdog", "2"] }
    let result = try mpirun(
      np: ranks, program, options: ["-q", "--bind-to", "none"],
      // Files of a launcher that is killed go with the run.
      environment: ["TMPDIR": run.deletingLastPathComponent().path, "SWIFT_DP_TRAIN_TERMINAL": nil], timeLimit: 90,
      intervention: Intervention(atOnce: {
        guard let moment, let blow, moment.wait(for: blow) else { return }
        blow.strike()
      }))
    let what = disturbance.map { "\($0), \(moment?.description ?? ""), at \(blow?.place ?? "its end")" } ?? "left alone"
    let job = Job(
      result: result, place: blow?.place,
      text: "seed \(seed), \(ranks) ranks, \(what)\n\(result.transcript)")
    try #require(!result.timedOut, "hangs: \(job.text)")
    try checkEnd(job, blow, run)
    // Ranks outlive a killed launcher for a moment; the next job may begin meanwhile.
    if disturbance != .killLauncher || Bool.random(using: &random) { try checkWhatIsLeft(job, run) }
    return job
  }

  /// The exit code, what a job went on from, and that no checkpoint was found damaged.
  private func checkEnd(_ job: Job, _ blow: Blow?, _ run: URL) throws {
    let code = job.result.exitCode
    let isFinished = FileManager.default.fileExists(atPath: run.appendingPathComponent("summary.json").path)
    var expected = blow?.codes ?? [0]
    // `mpirun` listens no more once its ranks have ended.
    if isFinished, let disturbance = blow?.disturbance, disturbance.meansLauncher {
      expected.insert(128 + disturbance.signal)
    }
    #expect(expected.contains(code), "ended with \(code): \(job.text)")
    if code == 0 { #expect(isFinished, "ended with 0 before its end: \(job.text)") }
    if code == 0, let limit = blow?.stepToStopBefore {
      #expect(limit > Self.lastStep, "trained on after it was asked to stop: \(job.text)")
    }
    if code == 75 { #expect(!isFinished, "ended with 75 after its end: \(job.text)") }
    #expect(!job.result.standardError.contains("passing over"), "\(job.text)")
  }

  /// No process, no shared memory; whole checkpoints, the newest that was acknowledged among them.
  private mutating func checkWhatIsLeft(_ job: Job, _ run: URL) throws {
    let end = ContinuousClock.now + .seconds(15)
    while try !processes(of: run.path).isEmpty && ContinuousClock.now < end { usleep(20_000) }
    try #require(try processes(of: run.path) == [:], "processes are left: \(job.text)")
    let objects = Self.deadSharedMemory().subtracting(deadObjects)
    #expect(objects.isEmpty, "shared memory is left: \(objects) by \(job.text)")
    // Said once.
    deadObjects.formUnion(objects)
    guard let acknowledged = try RunEvents(run).checkpoints.last else { return }
    let check = try TestSupport.run([product("swift-dp-train"), "checkpoint", "verify", run.path])
    #expect(
      check.exitCode == 0 && check.standardOutput.contains("ok       \(acknowledged.path)\n"),
      "\(acknowledged.path) was acknowledged: \(check.transcript)\n\(job.text)")
  }

  private mutating func expectTheUntouchedBits(_ job: Job, _ run: URL) throws {
    finishedRuns += 1
    let end = try Record(job.result, directory: run)
    #expect(end.summary == untouched.summary, "\(job.text)")
    #expect(end.files == untouched.files, "files of parameters differ: \(job.text)")
    let events = try RunEvents(run)
    #expect(events.losses == losses, "\(job.text)")
    #expect(events.contradictions == [], "losses of repeated steps differ: \(job.text)")
  }

  /// Objects of shared memory whose makers, by the numbers in their names, are gone.
  private static func deadSharedMemory() -> Set<String> {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/shm")) ?? []
    return Set(
      names.filter { name in
        guard let maker = name.wholeMatch(of: /swift-dp-train-(\d+)-\d+/)?.1 else { return false }
        return !FileManager.default.fileExists(atPath: "/proc/\(maker)")
      })
  }
}

/// Numbers that a seed decides (Steele, Lea and Flood 2014).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
