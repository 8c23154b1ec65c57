import ArgumentParser
import Foundation
import MPI
import Training

struct CompareCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Train several configurations and report them side by side.",
    discussion: """
      The file has settings of all runs below base, and below runs a name for each with the settings in which it differs; \
      keys are those of --config. Runs are trained one after another, each in DIR/runs/<name>-seed<n>. Started again, \
      the comparison goes on: what is finished is not run again. DIR/report.md has the table and the plots, \
      docs/compare.md says more.

        mpirun -np 4 swift-dp-train compare methods.yaml --out methods --epochs 5 --seeds 1,2,3
      """)

  @Argument(help: "YAML file of base and runs; needed but for --report-only.") var file: String?
  @Option(
    help: ArgumentHelp(
      "A setting of all runs, over that below base, as model=cnn; may be given again.", valueName: "setting=value"))
  var base: [String] = []
  @Option(help: "Directory of the comparison; needed but for --report-only.") var out: String?
  @Option(help: "Epochs of each run, over those of the file.") var epochs: Int?
  @Option(help: "Global steps of each run, in place of epochs.") var steps: Int?
  @Option(
    help: "Time of training of each run, as 10m or 90s, if its steps are not done before; learning rates follow steps.")
  var secondsEach: String?
  @Option(help: "Seeds, as 1,2,3: each run is trained with each (default: the run's seed).") var seeds: String?
  @Option(name: .customLong("report-only"), help: "Write the report of a comparison's directory anew; train nothing.")
  var reportOnly: String?
  @OptionGroup(title: "Ranks of a node") var sharing: SharingOptions
  @Option(
    help: """
      Checkpoints beside those after each epoch: 200 steps, 2ep or 10min apart, or several as 500,10min. (default: 10min)
      """)
  var saveEvery: String?
  @Option(help: "Save and end after so long (exit code 75), as 3h50m: before the scheduler's time limit.")
  var stopAfter: String?
  @Option(help: "Steps between points of the curves. (default: 10)") var logEvery: Int?
  @Option(help: "Steps between evaluations beside those after epochs.") var evaluateEvery: Int?
  @Option(help: "Test accuracy in percent: the report says in how many seconds and bytes each run reached it.")
  var target: Double?
  @Option(help: "Milliseconds that ranks lose in each step on purpose, as of train: RANK:MS, MS, random:MS, …")
  var delay: String?
  @Option(
    help: """
      Seconds without any progress after which the job is taken for hung and ends with 70; 0: never. (default: 60.0)
      """)
  var watchdog: Double?
  @Flag(name: .customLong("no-progress"), help: "No progress bar, also on a terminal.") var hidesProgress = false

  private var watchdogSeconds: Double { watchdog ?? 60 }

  func prepare() { if reportOnly == nil { TrainingJob.prepare(writes: true, watchdogSeconds: watchdogSeconds) } }

  func validate() throws {
    if let target { try check(0 < target && target <= 100, "--target \(target)", "give percent, as 88.5") }
    if let reportOnly {
      try check(
        file == nil && out == nil, "--report-only \(reportOnly) with a file or --out", "give the directory alone")
      try checkUse(reportOnly: reportOnly)
    } else if file == nil || out == nil {
      throw TrainingError(
        .badConfiguration, "compare needs a file of runs and --out DIR, or --report-only DIR with the directory.")
    }
  }

  /// Refuses what only means something for training.
  private func checkUse(reportOnly: String) throws {
    let needless: [(Any?, String)] = [
      (base.first, "--base"), (epochs, "--epochs"), (steps, "--steps"), (secondsEach, "--seconds-each"),
      (seeds, "--seeds"), (sharing.transport, "--transport"), (sharing.update, "--update"),
      (sharing.overlap, "--overlap"), (saveEvery, "--save-every"), (stopAfter, "--stop-after"),
      (logEvery, "--log-every"), (evaluateEvery, "--evaluate-every"), (delay, "--delay"), (watchdog, "--watchdog"),
    ]
    for (value, flag) in needless {
      guard let value else { continue }
      throw invalid("\(flag) \(value) with --report-only \(reportOnly)", "leave it out: nothing is trained")
    }
  }

  func run(_ world: Communicator) throws -> Int32 {
    if let reportOnly { return try report(on: reportOnly, world) }
    defer { TrainingJob.prepareToEnd(watchdogSeconds: watchdogSeconds) }
    let job = try world.agree { try makeJob(ranks: world.size) }
    let outcome = try job.run(world, observer: ComparisonConsole(hidesProgress: hidesProgress))
    try world.agree {
      guard let report = outcome.report else { return }
      show([""] + table(report).lines + ["", "report \(job.directory)/report.md"])
      if outcome.exitCode == Training.ExitCode.savedOnRequest.rawValue {
        show([
          "saved (75)  asked to stop with \(report.finishedCount) of \(count(report.runs.count, "run")) finished",
          "      next: run the same command to go on, on any number of ranks",
        ])
      }
    }
    return outcome.exitCode
  }

  /// Collective.
  private func report(on directory: String, _ world: Communicator) throws -> Int32 {
    try world.agree {
      guard world.rank == 0 else { return }
      guard var record = try ComparisonRecord(in: directory) else {
        throw TrainingError(.badData, "\(directory): holds no comparison; give the --out of one.")
      }
      record.target = target ?? record.target
      let report = ComparisonReport(record, try record.compared(in: directory))
      try report.write(to: directory)
      show(table(report).lines + ["", "report \(directory)/report.md"])
    }
    return Training.ExitCode.done.rawValue
  }

  private func makeJob(ranks: Int) throws -> ComparisonJob {
    var length = try RecipeOptions.parse([])
    (length.batches.epochs, length.batches.steps) = (epochs, steps)
    _ = try Settings(length)
    let runs = try ComparisonFile(path: file ?? "", changes: base, last: length).runs
    let seeds = try seedList()
    var template = TrainingJob(Recipe())
    template.sharing = try sharing.sharing()
    // Curves have more points than those of train.
    template.logEvery = logEvery ?? 10
    template.watchdogSeconds = watchdogSeconds
    try applyJobOptions(to: &template)
    let all = try runs.flatMap { name, settings in
      if secondsEach != nil && !settings.hasLength {
        throw TrainingError(
          .badConfiguration,
          "run \(name): --seconds-each needs a length that learning rates follow; give --epochs or --steps too, more than "
            + "the time allows, or set epochs or steps below base.")
      }
      return (seeds ?? [settings.recipe.seed]).map { seed in
        var recipe = settings.recipe
        recipe.seed = seed
        return ComparisonJob.Run(name: name, recipe: recipe, inputs: settings.inputs)
      }
    }
    var job = ComparisonJob(all, directory: out ?? "", command: command(ranks: ranks), template: template)
    job.stopAfterSeconds = template.stopAfterSeconds
    job.target = target
    return job
  }

  /// What `train` takes by the same names, read by it.
  private func applyJobOptions(to job: inout TrainingJob) throws {
    var arguments = ["--log-every=\(job.logEvery)", "--watchdog=\(job.watchdogSeconds)"]
    if let saveEvery { arguments.append("--save-every=\(saveEvery)") }
    if let stopAfter { arguments.append("--stop-after=\(stopAfter)") }
    if let evaluateEvery { arguments.append("--evaluate-every=\(evaluateEvery)") }
    if let delay { arguments.append("--delay=\(delay)") }
    let options: JobOptions
    do { options = try JobOptions.parse(arguments) } catch {
      throw TrainingError(.badConfiguration, Job.sentence(JobOptions.fullMessage(for: error)))
    }
    job.saveEvery = try options.saveIntervals()
    job.stopAfterSeconds = try options.stopAfterSeconds()
    job.evaluateEvery = options.evaluateEvery
    job.delay = try options.lostTime()
    if let secondsEach {
      guard let seconds = timeSpan(parsing: secondsEach) else {
        throw invalid("--seconds-each \(secondsEach)", "give a time as 10m, 90s or 1h30m")
      }
      job.secondsOfTraining = seconds
    }
  }

  private func seedList() throws -> [UInt64]? {
    guard let seeds else { return nil }
    let list = try seeds.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let seed = UInt64(text) else { throw invalid("--seeds \(seeds)", "give whole numbers as 1,2,3") }
      return seed
    }
    try check(Set(list).count == list.count, "--seeds \(seeds)", "give each seed once")
    return list
  }

  /// What this comparison was started with, without what only ends or hides it.
  private func command(ranks: Int) -> String {
    var words: [String] = []
    var isSkipped = false
    for word in CommandLine.arguments.dropFirst() {
      if isSkipped || word == "--no-progress" || word.hasPrefix("--stop-after=") {
        isSkipped = false
      } else if word == "--stop-after" {
        isSkipped = true
      } else {
        words.append(word)
      }
    }
    let launcher = ranks > 1 ? ["mpirun", "-np", "\(ranks)"] : []
    return ShellText.command((launcher + ["swift-dp-train"] + words).map(ShellText.word))
  }

  private func table(_ report: ComparisonReport) -> Table {
    var table = Table(
      [("run", .leading), ("seeds", .trailing)] + report.headings.map { ($0, .trailing) })
    for row in report.rows { table.add([row.name, "\(row.seeds.count)"] + row.figures) }
    return table
  }
}
