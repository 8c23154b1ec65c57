import Foundation
import MPI
import TensorFiles

/// Several configurations trained one after another, each with its own run directory, and one report of all: what the command
/// `compare` is, as a value.
///
/// A comparison that was stopped or killed goes on where it was: finished runs and those that diverged are not run again, an
/// unfinished one goes on from its checkpoint.
public struct ComparisonJob: Sendable {
  public var runs: [Run]
  public var directory: String
  /// The command line that repeats it, for the report.
  public var command: String
  /// What is the same for all runs beside the recipe; its recipe and directories are not used.
  public var template: TrainingJob
  /// Seconds after which to save and end, as if a signal had asked for it.
  public var stopAfterSeconds: Double?
  /// A test accuracy in percent; the report says when each run reached it.
  public var target: Double?

  public struct Run: Sendable {
    public var name: String
    /// With the run's seed.
    public var recipe: Recipe
    public var inputs: InputFiles

    public init(name: String, recipe: Recipe, inputs: InputFiles = InputFiles()) {
      (self.name, self.recipe, self.inputs) = (name, recipe, inputs)
    }

    var label: String { ComparedRun.label(name, recipe.seed) }
    var settings: String { recipe.configurationText(inputs) }
  }

  /// How a comparison has ended.
  public struct Outcome: Sendable {
    /// 0 where every run has ended or diverged, 75 where some are left, else that of the first that failed otherwise.
    public var exitCode: Int32
    /// Nil on ranks other than 0.
    public var report: ComparisonReport?
  }

  public init(_ runs: [Run], directory: String, command: String, template: TrainingJob) {
    (self.runs, self.directory, self.command, self.template) = (runs, directory, command, template)
  }

  /// Collective.
  ///
  /// - Parameter observer: shows the runs; asked on rank 0 only.
  /// - Throws: 64 where a run's settings cannot be meant, before the first starts; an error that all ranks agree on and that is
  ///   one run's own does not end the others.
  public func run(_ world: Communicator, observer: any ComparisonObserver) throws -> Outcome {
    // Checking all runs, which reads their data, may take its time.
    PhaseLimit.lift()
    let start = Date()
    try checkEqual(on: world)
    let before = try world.agree { try world.rank == 0 ? ComparisonRecord(in: directory) : nil }
    let runs = try resolved(before, on: world)
    var progress = try world.agree { try world.rank == 0 ? Progress(self, runs, before, world) : nil }
    var isEnded = try world.agree { runs.indices.map { progress?.hasEnded($0) ?? false ? 1 : 0 } }
    try world.broadcast(&isEnded)
    try checkData(zip(runs, isEnded).filter { $1 == 0 }.map(\.0), on: world)
    try world.agree { try progress?.write() }

    for (index, run) in runs.enumerated() {
      var wasBefore = true
      if isEnded[index] == 0 {
        let left = stopAfterSeconds.map { $0 - Date().timeIntervalSince(start) }
        guard try !isToStop(left, on: world) else { return stopped(progress) }
        wasBefore = false
        if world.rank == 0 { observer.begins(run.label) }
        let (isSaved, failure) = try train(run, secondsLeft: left, world, observer)
        try world.agree { try progress?.update(index, failure) }
        if isSaved { return stopped(progress) }
      }
      if let progress { observer.ended(progress.compared[index], wasBefore: wasBefore) }
    }
    return try Outcome(exitCode: exitCode(progress, world), report: progress?.report)
  }

  /// What times depend on beside a run's settings.
  fileprivate func conditions(ranks: Int) -> String {
    let sharing = template.sharing
    var parts = [count(ranks, "rank")]
    if let delay = template.delay { parts.append("--delay \(delay)") }
    if sharing.transport != .auto { parts.append("--transport \(sharing.transport.rawValue)") }
    if sharing.update != .sliced { parts.append("--update \(sharing.update.rawValue)") }
    if sharing.overlap != .auto { parts.append("--overlap \(sharing.overlap.rawValue)") }
    return parts.joined(separator: ", ")
  }

  private func stopped(_ progress: Progress?) -> Outcome {
    Outcome(exitCode: ExitCode.savedOnRequest.rawValue, report: progress?.report)
  }

  /// Trains one run to its end, to its failure, or until it is saved because the job is to stop. Collective.
  private func train(
    _ run: Run, secondsLeft: Double?, _ world: Communicator, _ observer: any ComparisonObserver
  ) throws -> (isSaved: Bool, failure: RunFailure?) {
    var job = template
    (job.recipe, job.inputs) = (run.recipe, run.inputs)
    job.runDirectory = ComparisonRecord.runDirectory(directory, run.label)
    job.stopAfterSeconds = secondsLeft
    do {
      return (try job.run(world, observer: observer) == ExitCode.savedOnRequest.rawValue, nil)
    } catch let failure as JobFailure where failure.isAgreed || world.size == 1 {
      // What another run would meet as well ends the comparison.
      guard [.diverged, .rankFailed, .badData].contains(ExitCode(rawValue: failure.exitCode)) else {
        throw failure.named(run.name)
      }
      return (false, RunFailure(code: failure.exitCode, sentence: failure.message))
    }
  }

  /// Whether any rank was asked to stop, or has no time left. Collective.
  private func isToStop(_ secondsLeft: Double?, on world: Communicator) throws -> Bool {
    let wishes = StopRequest.received != 0 || secondsLeft ?? 1 <= 0
    return try world.allReduce(wishes ? 1 : 0, .maximum) == 1
  }

  private func exitCode(_ progress: Progress?, _ world: Communicator) throws -> Int32 {
    let codes = progress?.compared.compactMap(\.failure?.code) ?? []
    var code = [Int(codes.first { $0 != ExitCode.diverged.rawValue } ?? 0)]
    try world.broadcast(&code)
    return Int32(code[0])
  }
}

/// Rank 0's account of a comparison.
private struct Progress {
  private let directory: String
  private var record: ComparisonRecord
  private(set) var compared: [ComparedRun]
  private let conditions: String

  /// - Throws: 64 where a run was begun with other settings.
  init(_ job: ComparisonJob, _ runs: [ComparisonJob.Run], _ before: ComparisonRecord?, _ world: Communicator) throws {
    directory = job.directory
    record = ComparisonRecord(
      command: job.command, ranks: world.size, machine: Fingerprint.ofThisMachine().description,
      secondsOfTraining: job.template.secondsOfTraining,
      runs: runs.map { run in
        let stored = before?.runs.first { $0.label == run.label }
        var own = ComparisonRecord.Run(
          name: run.name, seed: run.recipe.seed, settings: run.settings, failure: stored?.failure)
        own.conditions = stored?.conditions
        return own
      })
    conditions = job.conditions(ranks: world.size)
    record.target = job.target
    try before?.checkSame(record, in: directory)
    compared = try record.compared(in: directory)
  }

  var report: ComparisonReport { ComparisonReport(record, compared) }

  func hasEnded(_ index: Int) -> Bool {
    switch compared[index].state {
    case .waiting: false
    case .finished: true
    case .failed(let failure): failure.isFinal
    }
  }

  /// Takes up what a run has come to, and writes all anew.
  mutating func update(_ index: Int, _ failure: RunFailure?) throws {
    (record.runs[index].failure, record.runs[index].conditions) = (failure, conditions)
    compared[index] = try record.compared(record.runs[index], in: directory)
    // A run may fail before it has a directory.
    if let failure { compared[index].state = .failed(failure) }
    try write()
  }

  func write() throws {
    try record.write(to: directory)
    try report.write(to: directory)
  }
}

/// Shows a comparison and its runs. Called on rank 0.
public protocol ComparisonObserver: JobObserver {
  func begins(_ label: String)
  /// - Parameter wasBefore: in an earlier start of the comparison.
  func ended(_ run: ComparedRun, wasBefore: Bool)
}
