import Foundation
import MPI
import TensorFiles

/// A job's hold on its run directory: rank 0's side of resuming, saving and recording.
final class RunSession {
  let directory: RunDirectory
  /// The summary of a run that is already finished.
  let finished: SummaryFile?
  /// The placement that a run to go on with was started with.
  let stored: (shards: Int, threads: Int)?
  private(set) var resumedFrom: String?
  /// What the user should know and need not act on now.
  private(set) var warnings: [String] = []
  private let checkpoint: Checkpoint?
  private var configuration = ""
  private var plan: String?

  var path: String { directory.path }
  /// The choice of kernels of the run to go on with, where it is kept in a file.
  var storedPlan: (text: String, path: String)? {
    if let checkpoint { return checkpoint.manifest.kernels.map { ($0, checkpoint.path) } }
    return directory.text(PlanFile.name).map { ($0, directory.file(PlanFile.name)) }
  }

  /// Opens or creates the directory and finds out what is there.
  init(_ job: TrainingJob) throws {
    let path = job.runDirectory ?? Self.freshPath(job.network?.name ?? job.recipe.model.rawValue)
    directory = try RunDirectory(at: path)
    let hasRun = directory.exists("config.yaml")
    if job.resume == .none && hasRun { throw Self.refusal(path) }
    if case .auto = job.resume, let data = FileManager.default.contents(atPath: directory.file("summary.json")) {
      do { finished = try JSONDecoder().decode(SummaryFile.self, from: data) } catch {
        throw TrainingError(.badData, "\(directory.file("summary.json")): is damaged; remove it to train again.")
      }
    } else {
      finished = nil
    }
    switch job.resume {
    case .none: checkpoint = nil
    case .auto: (checkpoint, warnings) = Self.newest(directory)
    case .checkpoint(let path):
      let chosen = try Checkpoint(path: path)
      try chosen.verify()
      checkpoint = chosen
    }
    if let text = checkpoint?.manifest.configuration {
      func number(_ key: String) -> Int {
        text.split(separator: "\n").first { $0.hasPrefix(key + ": ") }.flatMap { Int($0.dropFirst(key.count + 2)) } ?? 0
      }
      stored = (number("shards"), number("threads-per-shard"))
    } else {
      stored = nil
    }
  }

  /// Why a new run cannot start in a directory that holds one.
  static func refusal(_ path: String) -> TrainingError {
    TrainingError(
      .badConfiguration, "--resume none, but \(path) already holds a run; give another --run-dir, or --resume auto.")
  }

  /// The newest checkpoint that is whole, and a sentence for each damaged one that was passed over.
  private static func newest(_ directory: RunDirectory) -> (Checkpoint?, [String]) {
    var warnings: [String] = []
    for path in Checkpoint.list(in: directory.file("checkpoints")) {
      do {
        let checkpoint = try Checkpoint(path: path)
        try checkpoint.verify()
        return (checkpoint, warnings)
      } catch {
        warnings.append("passing over a checkpoint: \(error)")
      }
    }
    return (nil, warnings)
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
  /// - Parameter plan: the text of the file that keeps the choice of kernels, if there is one.
  func prepare(_ trainer: Trainer, configuration settings: [(key: String, value: String?)], plan: String?) throws {
    configuration = settings.map { "\($0.key): \($0.value ?? "null")\n" }.joined()
    if let checkpoint {
      try checkSame(checkpoint.manifest.configuration, configuration, checkpoint.path)
      if checkpoint.manifest.fingerprint != Fingerprint.ofThisMachine().description {
        throw TrainingError(
          .badConfiguration,
          "\(checkpoint.path) was made with "
            + "\(Fingerprint.ofThisMachine().differences(inLine: checkpoint.manifest.fingerprint)), so the bits would differ: "
            + "go on where it was made, or start anew from its parameters (checkpoint export, --init).")
      }
      try checkpoint.load(into: trainer.state)
      resumedFrom = checkpoint.path
    }
    self.plan = plan
    if let plan { try directory.write(plan, to: PlanFile.name) }
    try directory.write(configuration, to: "config.yaml")
  }

  /// What the run had to show at the checkpoint, as rank 0 reads it there, on every rank. Collective.
  static func progress(_ session: RunSession?, _ trainer: Trainer, _ world: Communicator) throws -> RunProgress {
    let manifest = session?.checkpoint?.manifest
    let best = manifest?.best
    var numbers: [Double] = [
      manifest?.loss ?? .nan, best == nil ? 0 : 1, Double(best?.step ?? 0), Double(best?.correct ?? 0), best?.loss ?? 0,
    ]
    try world.broadcast(&numbers)
    var progress = RunProgress()
    progress.loss = numbers[0]
    if numbers[1] == 1 {
      progress.best = EvaluationReport(
        epoch: numbers[2] / Double(trainer.plan.stepsPerEpoch), step: Int(numbers[2]), correct: Int(numbers[3]),
        total: trainer.data.evaluation.count, loss: numbers[4], seconds: 0, isBest: true)
    }
    return progress
  }

  /// Settings that would change the run are refused, field by field.
  private func checkSame(_ before: String, _ now: String, _ path: String) throws {
    func fields(_ text: String) -> [String: String] {
      Dictionary(
        text.split(separator: "\n").compactMap { line in
          let parts = line.split(separator: ":", maxSplits: 1)
          return parts.count == 2 ? (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)) : nil
        }, uniquingKeysWith: { a, _ in a })
    }
    let (old, new) = (fields(before), fields(now))
    let changed = Set(old.keys).union(new.keys).subtracting(["data-dir", "recompute"]).filter { old[$0] != new[$0] }
      .sorted()
    if changed.isEmpty { return }
    let list = changed.map { "\($0) was \(old[$0] ?? "null"), is \(new[$0] ?? "null")" }.joined(separator: "; ")
    throw TrainingError(
      .badConfiguration,
      "\(path) belongs to a run with other settings (\(list)); give the same settings, or another --run-dir.")
  }

  func save(_ trainer: Trainer, _ progress: RunProgress) throws {
    let manifest = Checkpoint.Manifest(
      step: trainer.state.position.step,
      epoch: Double(trainer.state.position.step) / Double(trainer.plan.stepsPerEpoch),
      configuration: configuration, plan: trainer.planDigest, fingerprint: Fingerprint.ofThisMachine().description,
      stateSHA256: try trainer.state.stateDigest().description, files: [:], loss: progress.loss,
      best: progress.best.map { .init(step: $0.step, correct: $0.correct, loss: $0.loss) }, kernels: plan)
    let path = try Checkpoint.write(trainer.state, manifest: manifest, to: directory.file("checkpoints"))
    // The newest two: the one just written, and the one before in case this one is damaged later.
    for old in Checkpoint.list(in: directory.file("checkpoints")).dropFirst(2) {
      try? FileManager.default.removeItem(atPath: old)
    }
    try record(name: "checkpoint", EventFields(step: trainer.state.position.step, path: path))
  }

  func keepBest(_ trainer: Trainer) throws {
    try trainer.state.writeParameters(to: directory.file("model-best.safetensors"))
  }

  func record(_ event: TrainingEvent) throws {
    switch event {
    case .started: try record(name: "started", EventFields())
    case .step(let report): try record(name: "step", EventFields(report))
    case .evaluated(let report): try record(name: "evaluated", EventFields(report))
    case .finished(let summary): try record(name: "finished", EventFields(step: summary.steps))
    }
  }

  private func record(name: String, _ fields: EventFields) throws {
    var fields = fields
    fields.event = name
    fields.time = Date().timeIntervalSince1970
    try directory.append(event: fields)
  }

  /// Final parameters, then the summary, whose presence says that the run is finished.
  func finish(_ trainer: Trainer, _ summary: RunSummary, _ world: Communicator) throws {
    try trainer.state.writeParameters(to: directory.file("model.safetensors"))
    let file = SummaryFile(summary, trainer, ranks: world.size)
    let text = String(decoding: try RunDirectory.json(file, pretty: true), as: UTF8.self)
    try directory.write(text + "\n", to: "summary.json")
  }
}
