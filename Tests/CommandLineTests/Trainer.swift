import Foundation
import TestSupport
import Testing

/// How a job is started: the number of ranks, and where the launcher binds them.
struct Launch: Sendable, Hashable, CustomStringConvertible {
  /// Nil without a launcher.
  var ranks: Int?
  var binding = ["--bind-to", "none"]
  /// Whether an end with an error is not waited for.
  var isImpatient = false

  static let alone = Launch(ranks: nil)
  static func ranks(_ count: Int) -> Launch { Launch(ranks: count) }
  /// A job that all ranks leave with an error at its beginning.
  static func refused(_ count: Int) -> Launch {
    var launch = ranks(count)
    launch.isImpatient = true
    return launch
  }
  /// Each rank on one core; where ranks outnumber cores they share some.
  static func bound(_ count: Int) -> Launch {
    Launch(ranks: count, binding: ["--bind-to", "core:overload-allowed"])
  }
  /// As `mpirun` binds if nothing is said.
  static func usual(_ count: Int) -> Launch { Launch(ranks: count, binding: []) }

  /// What the trainer finds out about its place must come from the job, not from the shell that runs the tests.
  private static let neutral: [String: String?] = ["SWIFT_DP_TRAIN_TERMINAL": nil, "OMP_NUM_THREADS": nil]

  /// Runs the trainer in a directory.
  func run(_ arguments: [String], in directory: URL, timeLimit: Double = 120) throws -> CommandResult {
    let program = [product("swift-dp-train")] + arguments
    guard let ranks else {
      return try TestSupport.run(program, environment: Self.neutral, in: directory, timeLimit: timeLimit)
    }
    let environment = Self.neutral.merging(isImpatient ? impatience : [:]) { $1 }
    return try mpirun(
      np: ranks, program, options: ["-q"] + binding, environment: environment, in: directory, timeLimit: timeLimit)
  }

  var description: String {
    guard let ranks else { return "no launcher" }
    return "\(ranks) ranks \(binding.joined(separator: " "))"
  }
}

/// What a run left behind that must not depend on where its shards lived.
struct Record: Equatable, CustomStringConvertible {
  /// `summary.json` without ranks, times and rates.
  var summary: String
  /// `events.jsonl` without times, rates and paths; one line an event.
  var events: [String]
  /// The lines on the screen that tell losses and accuracies, without times and rates.
  var screen: [String]
  /// Files of parameters, by content.
  var files: [String: Data]

  /// Reads the directory of a finished run.
  init(_ job: CommandResult, directory: URL) throws {
    func object(_ text: Data, without keys: Set<String>) throws -> String {
      let all = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
      let kept = all.filter { !keys.contains($0.key) }
      return String(decoding: try JSONSerialization.data(withJSONObject: kept, options: .sortedKeys), as: UTF8.self)
    }
    let read = { (name: String) in try Data(contentsOf: directory.appendingPathComponent(name)) }
    summary = try object(read("summary.json"), without: ["ranks", "seconds", "samples_per_second"])
    events = try read("events.jsonl").split(separator: UInt8(ascii: "\n")).map { line in
      try object(
        line,
        without: [
          "time", "ranks", "samples_per_second", "training_seconds", "sent_bytes", "share_of_compute",
          "share_of_communication",
          "share_of_data",
          "exchange_seconds", "coding_seconds", "plain_sum_seconds",
          "share_of_update", "share_of_hidden_communication", "share_of_saving", "share_of_waiting",
        ])
    }
    // Saves end when they end.
    .filter { !$0.contains(#""event":"checkpoint""#) }
    screen = Self.metrics(job)
    files = [:]
    for name in ["model.safetensors", "model-best.safetensors"] { files[name] = try? read(name) }
  }

  /// A step's line ends with rates and times, an evaluation's with seconds; a result's has times in the middle.
  private static func metrics(_ job: CommandResult) -> [String] {
    func lines(_ text: String, _ heading: String) -> [String] {
      text.split(separator: "\n").filter { $0.hasPrefix(heading) }.map(String.init)
    }
    // On a slow machine there are more step lines: those of the first and the last step are always there.
    let steps = lines(job.standardError, "step ").map { $0.replacing(#/ +[0-9,]+ img/s .*/#, with: "") }
    let evaluations = lines(job.standardError, "eval ").map { $0.replacing(#/ +[0-9.]+ s( ·|$)/#) { $0.output.1 } }
    let results = lines(job.standardOutput, "done ")
      .map { $0.replacing(#/ in [0-9.ms]+( s)? ·/#, with: " ·").replacing(#/ · [0-9,]+ img/s/#, with: "") }
    return [steps.first ?? "", steps.last ?? ""] + evaluations + results
  }

  /// Where it first differs from another, for the message of a test.
  func difference(from other: Record) -> String? {
    if summary != other.summary { return "summary \(summary)\nthere   \(other.summary)" }
    if let pair = zip(events, other.events).first(where: { $0 != $1 }) { return "event \(pair.0)\nthere \(pair.1)" }
    if events.count != other.events.count { return "\(events.count) events, there \(other.events.count)" }
    if screen != other.screen { return "screen \(screen)\nthere  \(other.screen)" }
    return files == other.files ? nil : "the files of parameters differ"
  }

  /// A value of `summary.json`.
  func value(_ key: String) throws -> String {
    let all = try #require(try JSONSerialization.jsonObject(with: Data(summary.utf8)) as? [String: Any])
    return "\(try #require(all[key], "\(key) in \(summary)"))"
  }

  var description: String { summary }
}

/// Trains to the end in a run directory of that name and reads what is left.
func record(
  _ arguments: [String], _ launch: Launch, in directory: TemporaryDirectory, _ name: String
) throws -> Record {
  let job = try launch.run(["train", "--run-dir", name] + arguments, in: directory.url)
  try #require(job.exitCode == 0, "\(job.transcript)")
  return try Record(job, directory: directory.url.appendingPathComponent(name))
}

/// Trains to the end in a directory of its own and reads what is left.
func record(_ arguments: [String], _ launch: Launch, timeLimit: Double = 120) throws -> Record {
  let directory = try TemporaryDirectory()
  let job = try launch.run(
    ["train", "--run-dir", "run"] + arguments, in: directory.url, timeLimit: timeLimit)
  try #require(job.exitCode == 0, "\(job.transcript)")
  return try Record(job, directory: directory.url.appendingPathComponent("run"))
}

/// A small synthetic data set: images of a shape, training and test samples.
func synthetic(_ shape: String, train: Int, test: Int) -> [String] {
  [
    "--dataset", "synthetic", "--synthetic-shape", shape, "--synthetic-train", "\(train)", "--synthetic-test",
    "\(test)",
  ]
}

/// Every file below a directory, by path and content.
func contents(of directory: TemporaryDirectory) throws -> [String: Data] {
  var files: [String: Data] = [:]
  for path in try FileManager.default.subpathsOfDirectory(atPath: directory.url.path) {
    files[path] = FileManager.default.contents(atPath: directory.url.appendingPathComponent(path).path)
  }
  return files
}

/// The processes that run the trainer in a directory or below, by rank.
func processes(of directory: String) throws -> [Int: pid_t] {
  var found: [Int: pid_t] = [:]
  for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
    guard let process = pid_t(name), let command = contents(ofFile: "/proc/\(name)/cmdline"),
      let variables = contents(ofFile: "/proc/\(name)/environ")
    else { continue }
    let words = String(decoding: command, as: UTF8.self).split(separator: "\0")
    guard words.first?.hasSuffix("swift-dp-train") == true, words.contains(where: { $0.hasPrefix(directory) }) else {
      continue
    }
    for variable in String(decoding: variables, as: UTF8.self).split(separator: "\0") {
      if let rank = variable.wholeMatch(of: /OMPI_COMM_WORLD_RANK=(\d+)/) { found[Int(rank.1) ?? -1] = process }
    }
  }
  return found
}
