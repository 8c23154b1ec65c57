import Foundation
import TestSupport
import Testing

/// A run that was killed goes on, wherever, to the same bits as one that was not.
@Suite(.serialized) struct ResumeTests {
  static let arguments =
    synthetic("1x8x8", train: 3000, test: 100)
    + ["--model", "mlp", "--dropout", "0.1", "--shards", "4", "--batch-size", "64", "--seed", "7"]
    + ["--learning-rate", "0.1"]
  /// Enough for the kill to come long before the end.
  static let steps = ["--steps", "150"]
  static let uninterrupted = Result { try record(arguments + steps, .alone) }

  private let program = [product("swift-dp-train"), "train", "--run-dir", "run"] + arguments + steps

  private func launcher(_ ranks: Int?) -> [String] {
    ranks.map { ["mpirun", "-q", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "\($0)"] } ?? []
  }

  /// Starts a job, waits for its second checkpoint and kills one of its processes.
  ///
  /// - Parameter ranks: nil without a launcher; else one rank is killed, and the launcher ends the rest.
  private func kill(ranks: Int?, in directory: URL) throws {
    let script = """
      "$@" & job=$!
      until [ "$(ls -d run/checkpoints/step-* 2>/dev/null | wc -l)" -ge 2 ]; do
        kill -0 $job || exit 99
        sleep 0.01
      done
      kill -9 \(ranks == nil ? "$job" : "$(ps -o pid= --ppid $job | head -n 1)")
      wait $job
      """
    let job = try run(
      ["sh", "-c", script, "sh"] + launcher(ranks) + program + ["--save-every", "5"], in: directory, timeLimit: 60)
    try #require(job.exitCode == 137 && !job.timedOut, "\(job.transcript)")
    #expect(!FileManager.default.fileExists(atPath: directory.appendingPathComponent("run/summary.json").path))
  }

  private func resume(_ launch: Launch, in directory: URL, _ options: [String] = []) throws -> CommandResult {
    try launch.run(["train", "--run-dir", "run"] + Self.arguments + Self.steps + options, in: directory)
  }

  @Test func aKilledRunGoesOnAnywhereToTheSameBits() throws {
    let uninterrupted = try Self.uninterrupted.get()
    for (killed, resumed) in [(Int?.none, Launch.ranks(3)), (3, .ranks(2)), (2, .alone)] {
      let directory = try TemporaryDirectory()
      try kill(ranks: killed, in: directory.url)
      let job = try resume(resumed, in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      #expect(job.standardError.contains("going on from run/checkpoints/step-"), "\(job.transcript)")
      let end = try Record(job, directory: directory.url.appendingPathComponent("run"))
      #expect(end.summary == uninterrupted.summary, "killed on \(killed ?? 0), resumed on \(resumed)")
      #expect(end.files == uninterrupted.files)
    }
  }

  /// A run that is taken back goes on from there, also after the next stop, and ends as if it had never gone further.
  @Test func aRunThatIsTakenBackStaysThere() throws {
    let uninterrupted = try Self.uninterrupted.get()
    let directory = try TemporaryDirectory()
    func train(keep: Int, _ options: [String] = []) throws -> CommandResult {
      try resume(.alone, in: directory.url, ["--save-every", "40", "--keep", "\(keep)"] + options)
    }
    func steps() throws -> [Int] {
      try FileManager.default.contentsOfDirectory(atPath: directory.url.path + "/run/checkpoints")
        .compactMap { Int($0.dropFirst("step-".count)) }
    }
    let first = try train(keep: 9)
    try #require(first.exitCode == 0, "\(first.transcript)")
    let back = try train(
      keep: 2, ["--resume", "run/checkpoints/step-00000080", "--stop-after", "1s", "--delay", "40"])
    try #require(back.exitCode == 75, "\(back.transcript)")
    #expect(back.standardError.contains("going back to step 80"), "\(back.transcript)")
    #expect(!FileManager.default.fileExists(atPath: directory.url.path + "/run/summary.json"))
    // What it was stopped at, and that of the best evaluation, if no other.
    let left = try steps()
    #expect(try left.count <= 3 && #require(left.max()) < 150 && #require(left.max()) > 80, "\(left)")
    let rest = try train(keep: 1)
    #expect(rest.exitCode == 0 && rest.standardError.contains("\(left.max() ?? 0) done"), "\(rest.transcript)")
    let end = try Record(rest, directory: directory.url.appendingPathComponent("run"))
    #expect(end.summary == uninterrupted.summary && end.files == uninterrupted.files)
    #expect(try steps().contains(150) && steps().count <= 2)
  }

  @Test func aDamagedCheckpointIsPassedOver() throws {
    let uninterrupted = try Self.uninterrupted.get()
    let directory = try TemporaryDirectory()
    try kill(ranks: nil, in: directory.url)
    let checkpoints = directory.url.appendingPathComponent("run/checkpoints")
    let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path).filter { $0.hasPrefix("step-") }
    let newest = try #require(names.max())
    try #require(names.count >= 2, "\(names)")
    let file = checkpoints.appendingPathComponent("\(newest)/state.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: file)

    let job = try resume(.ranks(2), in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let warning =
      "warning: passing over a checkpoint: run/checkpoints/\(newest)/state.safetensors: does not have the digest of "
      + "its "
      + "manifest; take another checkpoint."
    #expect(job.standardError.split(separator: "\n").filter { $0.contains("passing over") } == [warning[...]])
    let end = try Record(job, directory: directory.url.appendingPathComponent("run"))
    #expect(end.summary == uninterrupted.summary)
  }

  @Test func aFinishedRunShowsItsSummaryAndIsNotTouched() throws {
    let directory = try TemporaryDirectory()
    let short = Self.arguments + ["--run-dir", "run", "--steps", "3"]
    let first = try Launch.ranks(2).run(["train"] + short, in: directory.url)
    try #require(first.exitCode == 0, "\(first.transcript)")
    let before = try contents(of: directory)

    let again = try Launch.ranks(3).run(["train"] + short, in: directory.url)
    #expect(again.exitCode == 0 && again.standardError == "", "\(again.transcript)")
    #expect(
      again.standardOutput.hasPrefix("done  run is a finished run: 3 steps · test accuracy "), "\(again.transcript)")
    let refused = try Launch.ranks(3).run(["train", "--resume", "none"] + short, in: directory.url)
    #expect(refused.exitCode == 64 && refused.standardOutput == "", "\(refused.transcript)")
    #expect(
      refused.standardError
        == "error (64): --resume none, but run already holds a run; give another --run-dir, or --resume auto.\n")
    #expect(try contents(of: directory) == before)
  }

  /// Killed after the last step and before the summary: nothing is left to train, and the summary is the same.
  @Test func aRunThatLacksOnlyItsSummaryGetsIt() throws {
    let directory = try TemporaryDirectory()
    let short = ["train", "--run-dir", "run"] + Self.arguments + ["--steps", "7"]
    let url = directory.url.appendingPathComponent("run")
    let whole = try Record(try Launch.alone.run(short, in: directory.url), directory: url)
    for name in ["summary.json", "model.safetensors"] {
      try FileManager.default.removeItem(at: url.appendingPathComponent(name))
    }
    let job = try Launch.ranks(3).run(short, in: directory.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let again = try Record(job, directory: url)
    #expect(again.summary == whole.summary && again.files == whole.files)
  }

  /// USR1 sent to the launcher, and TERM to a process without one: the job saves, ends with 75, and goes on elsewhere.
  @Test func aJobThatIsAskedToStopSavesAndGoesOn() throws {
    let uninterrupted = try Self.uninterrupted.get()
    for (ranks, signal, resumed) in [(Int?.none, "TERM", Launch.ranks(2)), (3, "USR1", .alone)] {
      let directory = try TemporaryDirectory()
      let script = """
        "$@" & job=$!
        until grep -q '"step"' run/events.jsonl 2>/dev/null; do kill -0 $job || exit 99; sleep 0.01; done
        kill -\(signal) $job
        wait $job
        """
      let job = try run(
        ["sh", "-c", script, "sh"] + launcher(ranks) + program, in: directory.url, timeLimit: 60)
      try #require(job.exitCode == 75 && !job.timedOut, "\(job.transcript)")
      let again = try resume(resumed, in: directory.url)
      try #require(again.exitCode == 0, "\(again.transcript)")
      #expect(again.standardError.contains("going on from run/checkpoints/step-"), "\(again.transcript)")
      let end = try Record(again, directory: directory.url.appendingPathComponent("run"))
      #expect(end.summary == uninterrupted.summary && end.files == uninterrupted.files, "\(signal)")
    }
  }

  /// A request that comes while MPI starts or data is read is not lost, and does not end the job without a word.
  @Test(arguments: ["USR1", "TERM"]) func aJobThatIsAskedToStopWhileItStartsSavesItsFirstStep(_ signal: String) throws {
    let directory = try TemporaryDirectory()
    // The directory is there before the data set is.
    let script = """
      "$@" & job=$!
      until [ -e run/.lock ]; do kill -0 $job || exit 99; done
      kill -\(signal) $job
      wait $job
      """
    let job = try run(["sh", "-c", script, "sh"] + program, in: directory.url, timeLimit: 60)
    #expect(job.exitCode == 75 && job.standardOutput.hasPrefix("saved (75)"), "\(job.transcript)")
    let files = try FileManager.default.contentsOfDirectory(
      atPath: directory.url.appendingPathComponent("run/checkpoints").path)
    #expect(files == ["step-00000001"], "\(job.transcript)")
  }

  /// A named checkpoint starts a new run, which ends with the same bits.
  @Test func aNamedCheckpointIsGoneOnFromElsewhere() throws {
    let directory = try TemporaryDirectory()
    let short = Self.arguments + ["--steps", "12"]
    let whole = try Launch.alone.run(["train", "--run-dir", "run", "--save-every", "4"] + short, in: directory.url)
    try #require(whole.exitCode == 0, "\(whole.transcript)")
    let other = try Launch.ranks(2).run(
      ["train", "--run-dir", "other", "--resume", "run/checkpoints/step-00000008"] + short, in: directory.url)
    try #require(other.exitCode == 0, "\(other.transcript)")
    let records = try [(whole, "run"), (other, "other")].map {
      try Record($0, directory: directory.url.appendingPathComponent($1))
    }
    #expect(try records[0].value("state_sha256") == records[1].value("state_sha256"))
  }

  /// Memory is the affair of whoever goes on: what is computed again may change on the way, and no bit does.
  @Test func whatIsComputedAgainMayChange() throws {
    let directory = try TemporaryDirectory()
    let short =
      synthetic("3x8x8", train: 40, test: 20)
      + ["--model", "resnet20-cifar", "--shards", "2", "--batch-size", "8", "--steps", "4", "--dropout", "0.2"]
    let whole = try Launch.alone.run(["train", "--run-dir", "run", "--save-every", "1"] + short, in: directory.url)
    try #require(whole.exitCode == 0, "\(whole.transcript)")
    let digest = try Record(whole, directory: directory.url.appendingPathComponent("run")).value("state_sha256")
    for recomputation in ["selective", "full"] {
      let other = try Launch.ranks(2).run(
        [
          "train", "--run-dir", recomputation, "--recompute", recomputation, "--resume",
          "run/checkpoints/step-00000003",
        ] + short, in: directory.url)
      try #require(other.exitCode == 0, "\(other.transcript)")
      let record = try Record(other, directory: directory.url.appendingPathComponent(recomputation))
      #expect(try record.value("state_sha256") == digest)
    }
  }

  @Test func otherSettingsAreRefused() throws {
    let directory = try TemporaryDirectory()
    try kill(ranks: nil, in: directory.url)
    let job = try resume(.ranks(2), in: directory.url, ["--learning-rate", "0.05", "--momentum", "0.8"])
    #expect(job.exitCode == 64 && job.standardOutput == "", "\(job.transcript)")
    let text = job.standardError.replacing(/step-\d+/, with: "step-N")
    #expect(
      text
        == "error (64): run/checkpoints/step-N belongs to a run with other settings (learning-rate was 0.1, is 0.05; "
        + "momentum was 0.9, is 0.8); give the same settings, another --run-dir, or --allow-changed to go on with these.\n"
    )
    // Left as it was: it still goes on with its own settings.
    #expect(try resume(.alone, in: directory.url).exitCode == 0)
  }
}
