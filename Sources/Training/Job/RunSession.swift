import Foundation
import MPI
import TensorFiles

/// A job's hold on its run directory: rank 0's side of resuming, saving (`RunSession+Saving`) and recording.
final class RunSession {
  let directory: RunDirectory
  /// The summary of a run that is already finished.
  let finished: SummaryFile?
  /// The placement that a run to go on with was started with.
  let stored: (shards: Int, threads: Int)?
  private(set) var resumedFrom: String?
  /// What is shown and logged of the run while it goes on.
  var report: (SaveReport) throws -> Void = { _ in }
  var warn: (String) -> Void = { _ in }
  let saving: Saving
  let writer: CheckpointWriter
  /// The newest checkpoint that is known to be whole, and when it was.
  var lastGood: (step: Int, time: Date)?
  var lastSave = Date()
  private var cannotRecord = false
  /// What the user should know and need not act on now.
  private(set) var warnings: [String] = []
  let checkpoint: Checkpoint?
  /// Of the parameters that a file gave the run.
  var initialDigest: String?
  private(set) var configuration = ""
  private(set) var plan: String?
  private let allowsChanges: TrainingJob.AllowedChanges

  /// When states are saved and which are kept.
  struct Saving: Sendable {
    var intervals: [SaveInterval]
    var keep: Int
  }

  var path: String { directory.path }
  /// The choice of kernels of the run to go on with, where it is kept in a file.
  var storedPlan: (text: String, path: String)? {
    if let checkpoint { return checkpoint.manifest.kernels.map { ($0, checkpoint.path) } }
    return directory.text(PlanFile.name).map { ($0, directory.file(PlanFile.name)) }
  }

  /// Opens or creates the directory and finds out what is there.
  ///
  /// - Parameter goesOn: called again and again while large files are read, or another job is waited for.
  init(_ job: TrainingJob, goesOn: () -> Void = {}) throws {
    let path = job.runDirectory ?? Self.freshPath(job.network?.name ?? job.recipe.model.rawValue)
    directory = try RunDirectory(at: path, waits: goesOn)
    let store = CheckpointStore(directory: directory.file("checkpoints"))
    store.removeLeftovers()
    AtomicDirectory.removeLeftovers(in: directory.path)
    saving = Saving(intervals: job.saveEvery, keep: job.keep)
    writer = CheckpointWriter(store)
    allowsChanges = job.allowedChanges
    let hasRun = directory.exists("config.yaml")
    if job.resume == .none && hasRun { throw Self.refusal(path) }
    if case .auto = job.resume, let data = FileManager.default.contents(atPath: directory.file("summary.json")) {
      do { finished = try decodeJSON(SummaryFile.self, from: data) } catch {
        throw TrainingError(.badData, "\(directory.file("summary.json")): is damaged; remove it to train again.")
      }
    } else {
      finished = nil
    }
    switch job.resume {
    case .none: checkpoint = nil
    case .auto where finished != nil: checkpoint = nil
    case .auto:
      let (newest, damage) = try store.newest(goesOn: goesOn)
      checkpoint = newest
      warnings = damage.map { "passing over a checkpoint: \($0)" }
    case .checkpoint(let path):
      let chosen = try Checkpoint(path: path)
      try chosen.verify(goesOn: goesOn)
      checkpoint = chosen
      let later = try store.steps().filter { $0 > chosen.manifest.step }
      if !later.isEmpty {
        warnings.append(
          "going back to step \(grouped(chosen.manifest.step)); what the run did after it is lost with the first save.")
      }
    }
    stored = checkpoint.map { $0.manifest.placement }
  }

  /// Why a new run cannot start in a directory that holds one.
  static func refusal(_ path: String) -> TrainingError {
    TrainingError(
      .badConfiguration, "--resume none, but \(path) already holds a run; give another --run-dir, or --resume auto.")
  }

  private static func freshPath(_ model: String) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "MMdd-HHmmss"
    let path = "runs/\(model)-\(formatter.string(from: Date()))"
    // Jobs that start within a second of each other must not meet.
    let names = [path] + (2...99).map { "\(path)-\($0)" }
    return names.first { !FileManager.default.fileExists(atPath: $0) } ?? path
  }

  /// Loads the checkpoint to go on from, if there is one, and writes the resolved settings.
  ///
  /// - Parameters:
  ///   - state: what is loaded into, with the vectors of all shards.
  ///   - plan: the text of the file that keeps the choice of kernels, if there is one.
  ///   - goesOn: called again and again while a state is read.
  func prepare(
    _ state: TrainingState, _ trainer: Trainer, configuration settings: [(key: String, value: String?)], plan: String?,
    goesOn: () -> Void = {}
  ) throws {
    writer.reserve(for: trainer.state, shards: trainer.resources.shards)
    configuration = Recipe.text(settings)
    if let checkpoint {
      warnings += try Self.changes(since: checkpoint, configuration, trainer.data, allowsChanges)
      try checkpoint.load(into: state, goesOn: goesOn)
      resumedFrom = checkpoint.path
      lastGood = (checkpoint.manifest.step, Date())
      // A finished run that is taken back is not finished.
      for name in ["summary.json", "model.safetensors"] { try directory.remove(name) }
    }
    self.plan = plan
    if let plan { try directory.write(plan, to: PlanFile.name) }
    try directory.write(configuration, to: "config.yaml")
  }

  /// What the run had to show at the checkpoint, as rank 0 reads it there, on every rank. Collective.
  static func progress(_ session: RunSession?, _ trainer: Trainer, _ world: Communicator) throws -> RunProgress {
    let manifest = session?.checkpoint?.manifest
    let best = manifest?.best
    let totals = manifest?.totals ?? RunTotals()
    let total = trainer.data.evaluation.count
    var numbers: [Double] = [
      // What was best of other images is not compared with these.
      manifest?.loss ?? .nan, best == nil || (best?.total ?? total) != total ? 0 : 1, Double(best?.step ?? 0),
      Double(best?.correct ?? 0), best?.loss ?? 0,
      totals.seconds, Double(totals.samples), Double(totals.sentBytes), Double(totals.gradientBytes),
    ]
    try world.broadcast(&numbers)
    var progress = RunProgress()
    progress.loss = numbers[0]
    progress.totals.seconds = numbers[5]
    progress.totals.samples = Int(numbers[6])
    progress.totals.sentBytes = Int(numbers[7])
    progress.totals.gradientBytes = Int(numbers[8])
    if numbers[1] == 1 {
      progress.best = EvaluationReport(
        epoch: numbers[2] / Double(trainer.plan.stepsPerEpoch), step: Int(numbers[2]), correct: Int(numbers[3]),
        total: trainer.data.evaluation.count, loss: numbers[4], seconds: 0, isBest: true)
    }
    return progress
  }

  /// What would change the run is refused, field by field, unless it is allowed; then it is said.
  ///
  /// - Parameter configuration: the resolved settings, as `config.yaml` has them.
  /// - Returns: a warning for each kind of change.
  static func changes(
    since checkpoint: Checkpoint, _ configuration: String, _ data: TrainingData,
    _ allowsChanges: TrainingJob.AllowedChanges
  ) throws -> [String] {
    let manifest = checkpoint.manifest
    var warnings: [String] = []
    var changes = RunChanges.settings(manifest.configuration, configuration)
    if let before = manifest.data, case let now = digest(of: data), before != now {
      changes.append("the data set had the digest \(before), has \(now)")
    }
    if !changes.isEmpty {
      let list = changes.joined(separator: "; ")
      guard allowsChanges.settings else {
        throw TrainingError(
          .badConfiguration,
          "\(checkpoint.path) belongs to a run with other settings (\(list)); give the same settings, another --run-dir, "
            + "or --allow-changed to go on with these.")
      }
      warnings.append("going on with other settings than \(checkpoint.path) was made with: \(list).")
    }
    let fingerprint = Fingerprint.ofThisMachine()
    if manifest.fingerprint != fingerprint.description {
      let differences = fingerprint.differences(inLine: manifest.fingerprint)
      guard allowsChanges.machines else {
        throw TrainingError(
          .badConfiguration,
          "\(checkpoint.path) was made with \(differences), so the bits would differ: go on where it was made, start anew "
            + "from its parameters (checkpoint export, --init), or give --allow-mixed to go on with other bits.")
      }
      warnings.append("going on with other bits: \(checkpoint.path) was made with \(differences).")
    }
    return warnings
  }

  static func digest(of data: TrainingData) -> String { hexadecimal(data.digest) }

  /// Writes an event. A run does not end because it cannot: that is said once.
  func record(_ event: TrainingEvent) {
    switch event {
    case .started(var report):
      report.initialDigest = initialDigest
      record(name: "started", EventFields(report))
    case .step(let report): record(name: "step", EventFields(report))
    case .evaluated(let report): record(name: "evaluated", EventFields(report))
    case .saved(let report): record(name: "checkpoint", EventFields(report))
    case .gradients(let report): record(name: GradientReport.eventName, EventFields(report))
    case .asynchronous(let report): record(name: "asynchronous", EventFields(report))
    case .finished(let summary): record(name: "finished", EventFields(summary))
    }
  }

  private func record(name: String, _ fields: EventFields) {
    var fields = fields
    fields.event = name
    fields.time = Date().timeIntervalSince1970
    do {
      try directory.append(event: fields)
      cannotRecord = false
    } catch {
      if !cannotRecord { warn("\(error) Training goes on; events are missing there from now on.") }
      cannotRecord = true
    }
  }

  /// Final parameters, then the summary, whose presence says that the run is finished.
  func finish(_ trainer: Trainer, _ summary: RunSummary, _ world: Communicator) throws {
    try drain()
    try trainer.state.writeParameters(to: directory.file("model.safetensors"), goesOn: writer.goesOn)
    if let stragglers = summary.stragglers { try directory.write(stragglers.markdown, to: StragglerReport.fileName) }
    let file = SummaryFile(summary, trainer, ranks: world.size)
    let text = String(decoding: try RunDirectory.json(file, pretty: true), as: UTF8.self)
    try directory.write(text + "\n", to: "summary.json")
  }
}
