import ArgumentParser
import Training

/// Where a run writes, where it starts and what it shows. None of this changes a bit.
struct JobOptions: ParsableArguments {
  @Option(help: "Directory of the run (default: runs/<model>-<date>-<time>).") var runDir: String?
  @Option(help: "Checkpoints beside those after each epoch: 200 steps, 2ep or 10min apart, or several as 500,10min.")
  var saveEvery = "10min"
  @Option(help: "Checkpoints to keep, beside that of the best evaluation.") var keep = 2
  @Option(help: "Save and end after so long (exit code 75), as 3h50m: before the scheduler's time limit.")
  var stopAfter: String?
  @Flag(name: .customLong("allow-changed"), help: "Go on from a checkpoint of other settings or data.")
  var allowsChanges = false
  @Flag(name: .customLong("allow-mixed"), help: "Go on from a checkpoint of another processor or library; bits differ.")
  var allowsMixed = false
  @Option(help: "auto: go on from the newest checkpoint of --run-dir; none: refuse an existing run; or a checkpoint.")
  var resume = "auto"
  @Option(help: "Read settings that decide the result from a YAML file, as config.yaml of a run; flags override it.")
  var config: String?
  @Option(help: "Steps between reports in events.jsonl; the screen shows some of them.") var logEvery = 50
  @Option(help: "Steps between evaluations beside those after epochs, for the curve.") var evaluateEvery: Int?
  @Option(help: "Steps between comparisons of all ranks' parameters (default: at the start and after epochs).")
  var checkEvery: Int?
  @Option(help: "Steps between records of each shard's gradient, which `replay` computes again and compares.")
  var recordGradients: Int?
  @Option(help: "Seconds without any progress after which the job is taken for hung and ends with 70; 0: never.")
  var watchdog = 60.0
  @Option(
    help: """
      Milliseconds that ranks lose in each step on purpose, to try methods out: RANK:MS, MS for all, random:MS (0 to twice \
      MS), exponential:MS (mean MS), or several that add up, as 20,1:60.
      """)
  var delay: String?
  @Option(help: "Take so many steps, evaluate nothing and write nothing.") var dryRun: Int?
  @Flag(name: .customLong("no-progress"), help: "No progress bar, also on a terminal.") var hidesProgress = false

  func validate() throws {
    _ = try saveIntervals()
    _ = try stopAfterSeconds()
    try check(keep > 0, "--keep \(keep)", "give at least 1")
    if let checkEvery { try check(checkEvery > 0, "--check-every \(checkEvery)", "give at least 1 step") }
    if let recordGradients {
      try check(recordGradients > 0, "--record-gradients \(recordGradients)", "give at least 1 step")
    }
    try check(
      watchdog == 0 || (1...1e6).contains(watchdog), "--watchdog \(watchdog)",
      watchdog > 1 ? "give at most 1000000 seconds, or 0 for none" : "give at least 1 second, or 0 for none")
    try check(logEvery > 0, "--log-every \(logEvery)", "give at least 1 step")
    if let evaluateEvery { try check(evaluateEvery > 0, "--evaluate-every \(evaluateEvery)", "give at least 1 step") }
    _ = try lostTime()
    if let dryRun { try check(dryRun > 0, "--dry-run \(dryRun)", "give at least 1 step") }
  }

  func saveIntervals() throws -> [SaveInterval] {
    try saveEvery.split(separator: ",").map { text in
      guard let interval = SaveInterval(String(text)) else {
        throw invalid("--save-every \(saveEvery)", "give steps as 200, epochs as 2ep, minutes as 10min, or several")
      }
      return interval
    }
  }

  func stopAfterSeconds() throws -> Double? {
    try stopAfter.map { text in
      guard let seconds = timeSpan(parsing: text) else {
        throw invalid("--stop-after \(text)", "give a time as 3h50m, 90s or 1d")
      }
      return seconds
    }
  }

  func lostTime() throws -> InjectedDelay? { try delay.map { try injectedDelay($0) } }
}
