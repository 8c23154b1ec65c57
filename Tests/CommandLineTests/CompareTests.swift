import Foundation
import TestSupport
import Testing
import Training

/// Several configurations in one job, and what is left of them if it is stopped.
@Suite(.serialized) struct CompareTests {
  private static let base = """
    base:
      model: mlp
      dataset: synthetic
      synthetic-shape: 1x4x4
      synthetic-train: 96
      synthetic-test: 40
      batch-size: 16
      shards: 2
      warmup-epochs: 0
    runs:

    """
  /// The second diverges.
  private static let methods =
    base + """
        ring: {}
        bad:
          learning-rate: 1e30
        tree:
          all-reduce: double-tree
          learning-rate: 0.02
      """

  private static func directory(_ text: String = methods) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try Data(text.utf8).write(to: directory.url.appendingPathComponent("methods.yaml"))
    return directory
  }

  private static func arguments(_ options: String) -> [String] {
    ["compare", "methods.yaml", "--out", "out"] + options.split(separator: " ").map(String.init)
  }

  private static func text(_ name: String, in directory: TemporaryDirectory) throws -> String {
    try String(contentsOf: directory.url.appendingPathComponent(name), encoding: .utf8)
  }

  private static func state(_ run: String, in directory: TemporaryDirectory) throws -> String {
    let text = try text("out/runs/\(run)/summary.json", in: directory)
    return try JSONDecoder().decode(SummaryFile.self, from: Data(text.utf8)).stateSHA256
  }

  /// `report.csv` without the columns of times.
  private static func figures(_ directory: TemporaryDirectory) throws -> [String] {
    try text("out/report.csv", in: directory).split(separator: "\n").map { line in
      let cells = line.split(separator: ",", omittingEmptySubsequences: false)
      return (cells[..<7] + cells[10..<11] + cells[12...]).joined(separator: ",")
    }
  }

  /// A comparison that nobody disturbs.
  private static let whole = Result<(figures: [String], states: [String]), any Error> {
    let directory = try CompareTests.directory()
    let job = try Launch.alone.run(arguments("--epochs 2 --seeds 1,2"), in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return (
      try figures(directory), try ["ring-seed1", "tree-seed2"].map { try state($0, in: directory) }
    )
  }

  @Test func aRunThatDivergesDoesNotEndTheOthers() throws {
    let whole = try Self.whole.get()
    let names = whole.figures.map { $0.split(separator: ",").prefix(3).map(String.init).joined(separator: ",") }
    #expect(
      names == [
        "run,seed,state", "ring,1,finished", "ring,2,finished", "bad,1,failed", "bad,2,failed", "tree,1,finished",
        "tree,2,finished",
      ])
    #expect(whole.figures[3].contains("training diverged: the loss of step "), "\(whole.figures)")

    // On two ranks the same, but for times and the bytes that are sent.
    let directory = try Self.directory()
    let job = try Launch.ranks(2).run(Self.arguments("--epochs 2 --seeds 1,2"), in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    #expect(try Self.figures(directory) == whole.figures)
    #expect(try Self.state("ring-seed1", in: directory) == whole.states[0])
    // A line for each run, a sentence for what diverged, and the table.
    let lines = job.standardError.split(separator: "\n")
    #expect(lines.count == 6 && lines.allSatisfy { $0.hasPrefix("run   ") }, "\(job.transcript)")
    #expect(lines[2].hasPrefix("run   bad-seed1  failed (72): training diverged: "), "\(job.transcript)")
    #expect(job.standardOutput.hasSuffix("\n\nreport out/report.md\n"), "\(job.transcript)")

    // What has ended is not run again.
    let before = try contents(of: directory)
    let again = try Launch.ranks(2).run(Self.arguments("--epochs 2 --seeds 1,2"), in: directory.url)
    #expect(again.exitCode == 0 && again.standardOutput == job.standardOutput, "\(again.transcript)")
    #expect(again.standardError.split(separator: "\n").allSatisfy { $0.hasSuffix(" · done before") })
    #expect(try contents(of: directory) == before)

    // The report alone.
    try FileManager.default.removeItem(at: directory.url.appendingPathComponent("out/report.md"))
    let report = try Launch.alone.run(["compare", "--report-only", "out"], in: directory.url)
    #expect(report.exitCode == 0 && job.standardOutput.hasSuffix(report.standardOutput), "\(report.transcript)")
    #expect(try contents(of: directory) == before)
  }

  /// Killed after the first run, it goes on with the second, to the same figures.
  @Test func aKilledComparisonGoesOn() throws {
    let whole = try Self.whole.get()
    let directory = try Self.directory()
    let summary = directory.url.appendingPathComponent("out/runs/ring-seed1/summary.json")
    let script = """
      "$@" & job=$!
      until [ -e \(summary.path) ]; do kill -0 $job || exit 99; sleep 0.005; done
      kill -9 $job
      wait $job
      """
    let program = [product("swift-dp-train")] + Self.arguments("--epochs 2 --seeds 1,2")
    let job = try run(["sh", "-c", script, "sh"] + program, in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 137, "\(job.transcript)")
    let first = try FileManager.default.attributesOfItem(atPath: summary.path)[.modificationDate] as? Date

    let again = try Launch.ranks(2).run(Self.arguments("--epochs 2 --seeds 1,2"), in: directory.url)
    try #require(again.exitCode == 0, "\(again.transcript)")
    #expect(again.standardError.hasPrefix("run   ring-seed1  accuracy "), "\(again.transcript)")
    #expect(again.standardError.split(separator: "\n").first?.hasSuffix(" · done before") == true)
    #expect(try FileManager.default.attributesOfItem(atPath: summary.path)[.modificationDate] as? Date == first)
    #expect(try Self.figures(directory) == whole.figures)
    #expect(try Self.state("tree-seed2", in: directory) == whole.states[1])
  }

  /// USR1 saves the run under way; what is left is done by the next start, on other ranks, to the same bits.
  @Test func aComparisonThatIsAskedToStopSaves() throws {
    let text = Self.base + "  ring: {}\n  tree:\n    all-reduce: double-tree\n"
    let directory = try Self.directory(text)
    let script = """
      "$@" & job=$!
      until grep -q '"step"' out/runs/ring-seed7/events.jsonl 2>/dev/null; do kill -0 $job || exit 99; sleep 0.005; done
      kill -USR1 $job
      wait $job
      """
    let program = [product("swift-dp-train")] + Self.arguments("--steps 150 --seeds 7")
    let job = try run(["sh", "-c", script, "sh"] + program, in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 75, "\(job.transcript)")
    #expect(job.standardOutput.contains("saved (75)  asked to stop with 0 of 2 runs finished"), "\(job.transcript)")
    #expect(try Self.text("out/report.md", in: directory).contains("- tree, seed 7: not begun."))
    let again = try Launch.ranks(2).run(Self.arguments("--steps 150 --seeds 7"), in: directory.url)
    try #require(again.exitCode == 0, "\(again.transcript)")

    let other = try Self.directory(text)
    let undisturbed = try Launch.alone.run(Self.arguments("--steps 150 --seeds 7"), in: other.url)
    try #require(undisturbed.exitCode == 0, "\(undisturbed.transcript)")
    #expect(try Self.state("ring-seed7", in: directory) == Self.state("ring-seed7", in: other))
    #expect(try Self.figures(directory) == Self.figures(other))

    // No time is left for the first.
    let late = try Self.directory(text)
    let none = try Launch.ranks(2).run(Self.arguments("--steps 100000 --stop-after 1s"), in: late.url)
    #expect(none.exitCode == 75 && none.seconds < 30, "\(none.transcript)")
  }

  /// A run whose time is over is evaluated and finished; the time counts over all its starts.
  @Test func aRunEndsWhenItsTimeIsOver() throws {
    let directory = try Self.directory(Self.base.replacing("size: 16", with: "size: 2") + "  ring: {}\n")
    let options = "--seconds-each 2s --steps 1000000 --log-every 100"
    let stopped = try Launch.ranks(2).run(Self.arguments(options + " --stop-after 1s"), in: directory.url)
    try #require(stopped.exitCode == 75, "\(stopped.transcript)")
    let job = try Launch.ranks(2).run(Self.arguments(options), in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let curve = RunCurve(try EventLog(run: directory.url.path + "/out/runs/ring-seed42").events)
    let last = try #require(curve.steps.last)
    let totals = try #require(last.totals)
    #expect((2..<4).contains(totals.seconds), "\(totals)")
    #expect(totals.samples == last.step * 2 && curve.evaluations.last?.step == last.step)
    // Two shards of a ring send the model once: half of it in each half of the sum. Kernels may have rows of sixteen.
    func bytes(_ outputs: Int) -> Int { 4 * (16 * 512 + 512 + 512 * 512 + 512 + 512 * outputs + outputs) }
    #expect((bytes(10)...bytes(16)).contains(totals.gradientBytes / last.step), "\(totals)")

    // Killed before its summary, it takes no further step.
    let state = try Self.state("ring-seed42", in: directory)
    try FileManager.default.removeItem(atPath: directory.url.path + "/out/runs/ring-seed42/summary.json")
    let ended = try Launch.ranks(2).run(Self.arguments(options), in: directory.url)
    #expect(try ended.exitCode == 0 && Self.state("ring-seed42", in: directory) == state, "\(ended.transcript)")

    let other = try Launch.alone.run(Self.arguments("--seconds-each 3s --steps 1000000"), in: directory.url)
    #expect(other.exitCode == 64, "\(other.transcript)")
    #expect(
      other.standardError
        == "error (64): run ring: out/runs/ring-seed42 was begun with other settings (seconds-each was 2.0 s, is 3.0 s); "
        + "give the same, another --out, or remove that directory to train it anew.\n")
  }

  @Test func aChangedFileIsRefusedUntilTheRunIsRemoved() throws {
    let directory = try Self.directory(Self.base + "  a: {}\n  b: {}\n")
    let first = try Launch.alone.run(Self.arguments("--steps 3"), in: directory.url)
    try #require(first.exitCode == 0, "\(first.transcript)")
    let changed = Self.base + "  c: {}\n  b:\n    momentum: 0.5\n    seed: 42\n"
    try Data(changed.utf8).write(to: directory.url.appendingPathComponent("methods.yaml"))
    let before = try contents(of: directory)
    let refused = try Launch.refused(2).run(Self.arguments("--steps 3"), in: directory.url)
    #expect(
      refused.standardError
        == "error (64): run b: out/runs/b-seed42 was begun with other settings (momentum was 0.9, is 0.5); "
        + "give the same, another --out, or remove that directory to train it anew.\n")
    #expect(try refused.exitCode == 64 && contents(of: directory) == before)
    try FileManager.default.removeItem(at: directory.url.appendingPathComponent("out/runs/b-seed42"))
    let again = try Launch.ranks(2).run(Self.arguments("--steps 3"), in: directory.url)
    #expect(again.exitCode == 0, "\(again.transcript)")
    #expect(try Self.figures(directory).map { $0.split(separator: ",")[0] } == ["run", "c", "b"])
  }

  /// Contents of the file, and the sentence.
  static let malformed: [(String, String)] = [
    ("", "methods.yaml: has no runs; write `runs:` with a name and settings for each."),
    ("- a", "methods.yaml: has no runs; write `runs:` with a name and settings for each."),
    ("base:\n  model: mlp", "methods.yaml: has no runs; write `runs:` with a name and settings for each."),
    ("runs: {}", "methods.yaml: has no runs; write `runs:` with a name and settings for each."),
    ("runs: ring", "methods.yaml: has no runs; write `runs:` with a name and settings for each."),
    (
      "model: mlp\nruns:\n  a: {}",
      "methods.yaml: model stands beside base and runs; put settings of all runs below base."
    ),
    ("base: 3\nruns:\n  a: {}", "methods.yaml: base: is not a list of settings; write one `key: value` a line."),
    (
      "base:\n  modle: mlp\nruns:\n  a: {}",
      "methods.yaml: base: there is no setting modle; see swift-dp-train train --help."
    ),
    (
      "runs:\n  a: {}\n  b:\n    modle: mlp",
      "methods.yaml: run b: there is no setting modle; see swift-dp-train train --help."
    ),
    ("runs:\n  b: fast", "methods.yaml: run b: is not a list of settings; write one `key: value` a line."),
    (
      "runs:\n  b:\n    seed: [1, 2]", "methods.yaml: run b: seed is not a single value; write `seed: value`."
    ),
    (
      "runs:\n  b:\n    epochs: many",
      "methods.yaml: run b: The value 'many' is invalid for '--epochs <epochs>'. See swift-dp-train --help."
    ),
    (
      "runs:\n  b:\n    batch-size: 0",
      "methods.yaml: run b: --batch-size 0 cannot be: give the samples of a global batch, at least 1."
    ),
    (
      "base:\n  optimizer: adamw\nruns:\n  b:\n    momentum: 0.9",
      "methods.yaml: run b: --momentum 0.9 with --optimizer adamw cannot be: give --optimizer sgd or lars, or leave it "
        + "out."
    ),
    (
      "runs:\n  ../b: {}",
      "methods.yaml: a run cannot be called ../b; give up to 40 letters, digits, dots, dashes and underscores, a letter "
        + "or digit first."
    ),
    (
      "runs:\n  a: &x {}\n  b: *x",
      "methods.yaml: line 2 has a YAML anchor or alias (& or *); write one `key: value` a line."
    ),
    (
      "runs:\n  a: {}\n  a: {}",
      "methods.yaml: is not YAML (Parser: expected all keys to be unique but found the following duplicated key(s): 'a'.); write one `key: value` a line."
    ),
    (
      "runs: [a",
      "methods.yaml: is not YAML (2:1: error: parser: while parsing a flow sequence in line 1, column 7); write one "
        + "`key: value` a line."
    ),
    (
      "base:\n  dataset: synthetic\n  synthetic-shape: 1x3x3\nruns:\n  a:\n    model: mlp\n  b:\n    model: cnn",
      "run b: --model cnn needs images of at least 4×4 pixels; synthetic has 1×3×3. Choose mlp, or another data set."
    ),
  ]

  @Test(arguments: malformed) func aBadFileEndsWithOneSentence(_ contents: String, _ sentence: String) throws {
    let directory = try Self.directory(contents)
    let job = try Launch.alone.run(Self.arguments("--steps 1"), in: directory.url, timeLimit: 30)
    #expect(job.exitCode == 64 && job.standardOutput == "", "\(job.transcript)")
    #expect(job.standardError == "error (64): \(sentence)\n")
    #expect(!FileManager.default.fileExists(atPath: directory.url.path + "/out"))
  }

  @Test func ranksThatARunCannotUseAreFoundBeforeTheFirstStarts() throws {
    let directory = try Self.directory(
      "base:\n  dataset: synthetic\n  model: mlp\nruns:\n  a: {}\n  b:\n    shards: 1")
    let job = try Launch.refused(2).run(Self.arguments("--steps 1"), in: directory.url)
    #expect(
      job.standardError
        == "error (64): run b: 2 ranks cannot host 1 shard: start at most 1 rank, or raise --shards.\n")
    #expect(job.exitCode == 64 && !FileManager.default.fileExists(atPath: directory.url.path + "/out"))
  }

  /// What only some runs cannot have is found before the first of them starts, too.
  @Test func whatALaterRunCannotHaveIsFoundBeforeTheFirstStarts() throws {
    for (runs, options, sentence) in [
      ("  a: {}\n  b:\n    method: downpour\n    shards: 1\n", "--delay 1:60", "run b: --delay 1:60"),
      ("  a: {}\n  b:\n    zero-init-residual: true\n", "", "run b: --zero-init-residual"),
    ] {
      let directory = try Self.directory(Self.base + runs)
      let job = try Launch.refused(2).run(Self.arguments("--steps 1 " + options), in: directory.url)
      #expect(job.exitCode == 64 && job.standardError.contains("error (64): \(sentence)"), "\(job.transcript)")
      #expect(!FileManager.default.fileExists(atPath: directory.url.path + "/out"))
    }
  }

  /// Where jobs of other ranks or delays have ended some of the runs, the report says so.
  @Test func timesOfOtherJobsAreToldApart() throws {
    let directory = try Self.directory(Self.base + "  a: {}\n")
    let first = try Launch.ranks(2).run(Self.arguments("--steps 2 --delay 1:1"), in: directory.url)
    try #require(first.exitCode == 0, "\(first.transcript)")
    #expect(try Self.text("out/report.md", in: directory).contains("\n2 ranks, --delay 1:1; numerics "))
    try Data((Self.base + "  a: {}\n  b: {}\n").utf8).write(to: directory.url.appendingPathComponent("methods.yaml"))
    let second = try Launch.alone.run(Self.arguments("--steps 2"), in: directory.url)
    try #require(second.exitCode == 0, "\(second.transcript)")
    let report = try Self.text("out/report.md", in: directory)
    #expect(
      report.contains(
        "\nTimes cannot be compared, because runs were ended by different jobs: a-seed42 by 2 ranks, --delay 1:1; "
          + "b-seed42 by 1 rank.\n"), "\(report)")
  }

  /// A rate that follows from the batch is said for each run that has one.
  @Test func scaledRatesAreSaid() throws {
    let directory = try Self.directory(
      Self.base + "  a: {}\n  b:\n    learning-rate: 0.02\n    scale-lr: sqrt\n    reference-batch: 2\n")
    let job = try Launch.alone.run(
      Self.arguments("--steps 2") + ["--base", "batch-size=8"], in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let rates = job.standardError.split(separator: "\n").filter { $0.hasPrefix("rate  ") }
    #expect(
      rates.count == 1 && rates[0].hasPrefix("rate  b-seed42  0.04 = 0.02 × √(8 ÷ 2) (sqrt) · "), "\(job.transcript)")
  }

  /// The command line's settings are stronger than those of base, and weaker than a run's.
  @Test func settingsOfAllRunsMayBeGiven() throws {
    let directory = try Self.directory(Self.base + "  a: {}\n  b:\n    momentum: 0.5\n")
    let settings = ["--base", "momentum=0.7", "--base", "nesterov=true", "--base", "shards=1"]
    let job = try Launch.alone.run(Self.arguments("--steps 2") + settings, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    for (name, momentum) in [("a", "0.7"), ("b", "0.5")] {
      let text = try Self.text("out/runs/\(name)-seed42/config.yaml", in: directory)
      for line in ["momentum: \(momentum)", "nesterov: true", "shards: 1"] {
        #expect(text.contains("\n\(line)\n"), "\(text)")
      }
    }
  }

  /// Ranks that one run has as workers are servers of the next.
  @Test func runsWithServersStandBesideOthers() throws {
    let runs = "  ring:\n    shards: 3\n  downpour:\n    method: downpour\n  late:\n    method: backup-workers\n"
    let directory = try Self.directory(Self.base + runs)
    let job = try Launch.ranks(3).run(Self.arguments("--epochs 1"), in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let lines = try Self.text("out/report.csv", in: directory).split(separator: "\n").dropFirst()
    #expect(lines.count == 3 && lines.allSatisfy { $0.contains(",finished,") }, "\(job.transcript)")
    #expect(lines.map { $0.split(separator: ",")[0] } == ["ring", "downpour", "late"])

    let few = try Launch.ranks(2).run(Self.arguments("--epochs 2"), in: directory.url)
    #expect(
      few.exitCode == 64
        && few.standardError.hasPrefix("error (64): run late: --method backup-workers has 2 shards on 1 worker"),
      "\(few.transcript)")
  }

  /// Arguments beside the file and --out, and the sentence.
  static let flags: [(String, String)] = [
    ("--seeds 1,x", "--seeds 1,x cannot be: give whole numbers as 1,2,3."),
    ("--base model", "--base model cannot be: give a setting and its value, as model=cnn."),
    ("--base modle=cnn", "--base: there is no setting modle; see swift-dp-train train --help."),
    ("--seeds 1,1", "--seeds 1,1 cannot be: give each seed once."),
    ("--epochs 1 --steps 2", "--epochs 1 and --steps 2 together cannot be: give one of them."),
    ("--steps 1 --seconds-each 5", "--seconds-each 5 cannot be: give a time as 10m, 90s or 1h30m."),
    (
      "--seconds-each 5s",
      "run ring: --seconds-each needs a length that learning rates follow; give --epochs or --steps too, more than the time "
        + "allows, or set epochs or steps below base."
    ),
    ("--steps 1 --log-every 0", "--log-every 0 cannot be: give at least 1 step. See swift-dp-train --help."),
    (
      "--report-only out",
      "--report-only out with a file or --out cannot be: give the directory alone. See swift-dp-train --help."
    ),
  ]

  @Test(arguments: flags) func aBadFlagEndsWithOneSentence(_ options: String, _ sentence: String) throws {
    let directory = try Self.directory()
    let job = try Launch.alone.run(Self.arguments(options), in: directory.url, timeLimit: 30)
    #expect(job.exitCode == 64, "\(job.transcript)")
    #expect(job.standardError == "error (64): \(sentence)\n")
  }

  /// On several ranks, which have begun to look after each other by then.
  @Test func aWatchdogThatNeverWakesIsRefused() throws {
    let directory = try Self.directory()
    let job = try Launch.refused(2).run(Self.arguments("--steps 1 --watchdog inf"), in: directory.url, timeLimit: 30)
    #expect(job.exitCode == 64, "\(job.transcript)")
    #expect(job.standardError.hasPrefix("error (64): --watchdog inf cannot be: "), "\(job.transcript)")
  }

  /// What only training would take looks as if it acted.
  @Test(arguments: [
    "--base model=cnn", "--epochs 2", "--steps 9", "--seconds-each 5s", "--seeds 1,2", "--transport messages",
    "--update sliced", "--overlap off", "--save-every 10min", "--stop-after 1h", "--log-every 10",
    "--evaluate-every 5", "--delay 1:1", "--watchdog 60.0",
  ]) func theReportAloneTakesNoSettings(_ setting: String) throws {
    let directory = try TemporaryDirectory()
    let arguments = ["compare", "--report-only", "out"] + setting.split(separator: " ").map(String.init)
    let job = try Launch.alone.run(arguments, in: directory.url, timeLimit: 30)
    #expect(
      job.standardError
        == "error (64): \(setting) with --report-only out cannot be: leave it out: nothing is trained. "
        + "See swift-dp-train --help.\n")
    #expect(job.exitCode == 64 && job.standardOutput == "", "\(job.transcript)")
  }

  @Test func thereMustBeAComparisonToReport() throws {
    let directory = try Self.directory()
    let job = try Launch.ranks(2).run(["compare", "--report-only", "out"], in: directory.url)
    #expect(job.exitCode == 65, "\(job.transcript)")
    #expect(job.standardError == "error (65): out: holds no comparison; give the --out of one.\n")
  }

  /// The file and the command of docs/compare.md, as they stand there.
  @Test func theExampleOfTheDocumentationWorks() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appendingPathComponent("docs/compare.md"), encoding: .utf8)
    func block(_ language: String) throws -> String {
      let start = try #require(page.range(of: "```\(language)\n"))
      let end = try #require(page.range(of: "```", range: start.upperBound..<page.endIndex))
      return String(page[start.upperBound..<end.lowerBound])
    }
    let directory = try Self.directory(try block("yaml"))
    let words = try block("sh").split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(words.prefix(4) == ["mpirun", "-np", "2", "swift-dp-train"])
    let job = try Launch.ranks(2).run(Array(words.dropFirst(4)), in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let report = try Self.text("methods/report.md", in: directory)
    #expect(report.contains("    \(words.joined(separator: " "))\n"), "\(report)")
    #expect(report.contains("\n6 of 6 runs finished."), "\(report)")
    for name in ["ring", "tree", "slow"] { #expect(report.contains("\n| \(name) | learning-rate 0."), "\(report)") }
  }
}
