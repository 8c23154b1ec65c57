import Foundation
import TensorFiles

/// What a comparison is and how far it is: `comparison.json` of its directory.
///
///     comparison.json       this
///     runs/<name>-seed<n>/  a run's directory, as `train` makes it
///     report.md, report.csv, loss-….svg, accuracy-….svg
public struct ComparisonRecord: Codable, Sendable {
  /// The command line that repeats it.
  public var command: String
  public var ranks: Int
  public var machine: String
  public var secondsOfTraining: Double?
  /// A test accuracy in percent that runs are to reach.
  public var target: Double?
  /// In the order in which they are trained.
  public var runs: [Run]

  public struct Run: Codable, Sendable, Hashable {
    public var name: String
    public var seed: UInt64
    /// As `config.yaml` has them, with shards and threads.
    public var settings: String
    public var failure: RunFailure?
    /// What times depend on beside the settings, of the job that ended it; nil while none has.
    public var conditions: String?

    public init(name: String, seed: UInt64, settings: String, failure: RunFailure? = nil) {
      (self.name, self.seed, self.settings, self.failure) = (name, seed, settings, failure)
    }

    var label: String { ComparedRun.label(name, seed) }

    /// A setting's value; nil where it has none.
    func value(_ key: String) -> String? {
      RunChanges.lines(settings).first { $0.key == key }.flatMap { $0.value == "null" ? nil : $0.value }
    }
  }

  static let name = "comparison.json"

  static func runDirectory(_ directory: String, _ label: String) -> String { "\(directory)/runs/\(label)" }

  public init(command: String, ranks: Int, machine: String, secondsOfTraining: Double?, runs: [Run]) {
    (self.command, self.ranks, self.machine) = (command, ranks, machine)
    (self.secondsOfTraining, self.runs) = (secondsOfTraining, runs)
  }

  /// Reads that of a directory; nil where there is none.
  /// - Throws: 65 where it is damaged.
  public init?(in directory: String) throws {
    let path = directory + "/" + Self.name
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let data = FileManager.default.contents(atPath: path), let record = try? decodeJSON(Self.self, from: data)
    else { throw TrainingError(.badData, "\(path): is damaged; remove it, and finished runs are still not run again.") }
    self = record
  }

  func write(to directory: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw TrainingError(.cannotWrite, "--out \(directory): cannot be made; give another directory, or free space.")
    }
    let text = try RunDirectory.json(self, pretty: true)
    try classifying { try AtomicFile.write(Array(text) + Array("\n".utf8), to: directory + "/" + Self.name) }
  }

  /// Stops where a run of this comparison was begun with other settings than those of `now`.
  /// - Throws: 64.
  func checkSame(_ now: ComparisonRecord, in directory: String) throws {
    for run in now.runs {
      let path = Self.runDirectory(directory, run.label)
      guard let before = runs.first(where: { $0.label == run.label }),
        FileManager.default.fileExists(atPath: path + "/config.yaml")
      else { continue }
      var changes = RunChanges.settings(before.settings, run.settings)
      let times = (secondsOfTraining, now.secondsOfTraining)
      if times.0 != times.1 {
        func text(_ seconds: Double?) -> String { seconds.map { duration($0) } ?? "not given" }
        changes.append("seconds-each was \(text(times.0)), is \(text(times.1))")
      }
      if changes.isEmpty { continue }
      throw TrainingError(
        .badConfiguration,
        "run \(run.name): \(path) was begun with other settings (\(changes.joined(separator: "; "))); give the same, another "
          + "--out, or remove that directory to train it anew.")
    }
  }

  /// How far a run is, as its directory says.
  /// - Throws: 65 where its events cannot be read.
  func compared(_ run: Run, in directory: String) throws -> ComparedRun {
    let path = Self.runDirectory(directory, run.label)
    var compared = ComparedRun(
      name: run.name, seed: run.seed, settings: run.settings, state: .waiting, curve: RunCurve())
    if FileManager.default.fileExists(atPath: EventLog.path(run: path)) {
      compared.curve = RunCurve(try EventLog(run: path).events)
      if let failure = run.failure { compared.state = .failed(failure) }
    }
    if FileManager.default.fileExists(atPath: path + "/summary.json") { compared.state = .finished }
    return compared
  }

  /// All runs, as far as they are.
  public func compared(in directory: String) throws -> [ComparedRun] {
    try runs.map { try compared($0, in: directory) }
  }
}
