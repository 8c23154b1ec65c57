import Foundation
import Training

/// The promise about checkpoints, held against every crash state of a run's calls.
struct Durability {
  struct Report {
    var states = 0
    /// Sentences; none where the promise is kept.
    var violations: [String] = []
    /// Some states that keep it, for a closer look.
    var sample: [CrashStates.Crash] = []
  }

  /// What a state is held against: the newest step that has been acknowledged, and the state's digest of each.
  private struct Requirement: Hashable {
    var newest: Int
    var digests: [Int: String]
  }

  /// - Parameters:
  ///   - range: after which numbers of calls a crash is tried; nil for all.
  ///   - sampling: how many states to return, spread over all.
  ///   - stopsEarly: whether a first violation is enough.
  static func check(
    _ calls: [Call], in start: FileSystem = FileSystem(), states: CrashStates = CrashStates(),
    after range: ClosedRange<Int>? = nil, sampling: Int = 0, stopsEarly: Bool = false
  ) throws -> Report {
    var report = Report()
    let directories = try StateDirectories()
    // What is found depends on the checkpoints only, in which most states agree with others.
    var known: [CrashState: Found] = [:]
    // Of a checkpoint that is known to be there, from the run's own view of it.
    var digests: [Int: String] = [:]
    var coins = Coins(seed: 7)
    try states.forEach(of: calls, in: start, after: range) { fileSystem -> Requirement in
      let steps = TinyRun.acknowledged(fileSystem.contents("run/events.jsonl") ?? [])
      for step in steps where digests[step] == nil { digests[step] = digest(step, fileSystem) }
      return Requirement(newest: steps.max() ?? 0, digests: digests)
    } _: { crash, required in
      if stopsEarly && !report.violations.isEmpty { return }
      report.states += 1
      var checkpoints = crash
      checkpoints.state.files = crash.state.files.filter { $0.key.hasPrefix("run/checkpoints/") }
      checkpoints.state.directories = crash.state.directories.filter {
        ($0 + "/").hasPrefix("run/checkpoints/") || $0 == "run"
      }
      let found = try known[checkpoints.state] ?? directories.with(checkpoints, find)
      known[checkpoints.state] = found
      let last = crash.calls == 0 ? "the start" : "call \(crash.calls) (\(calls[crash.calls - 1]))"
      if let digest = required.digests[found.step], digest != found.digest {
        report.violations.append("after \(last): takes another state for that of step \(found.step)")
      }
      if let sentence = found.sentence { report.violations.append("after \(last): \(sentence)") }
      if found.step < required.newest {
        report.violations.append(
          "after \(last): step \(required.newest) was acknowledged, the newest whole checkpoint is of \(found.step); "
            + "left are \(crash.state.files.keys.filter { $0.contains("checkpoints/") }.sorted())")
      } else if report.sample.count < sampling {
        report.sample.append(crash)
      } else if sampling > 0, case let place = Int(coins.next() % UInt64(report.states)), place < sampling {
        report.sample[place] = crash
      }
    }
    return report
  }

  /// The checkpoint that a run would go on from.
  private struct Found {
    var step = 0
    var digest: String?
    /// What is wrong with it.
    var sentence: String?
  }

  private static func find(in directory: URL) -> Found {
    guard let checkpoint = TinyRun.newestCheckpoint(in: directory) else { return Found() }
    var found = Found(step: checkpoint.manifest.step, digest: checkpoint.manifest.stateSHA256)
    do { try checkpoint.verifyContents() } catch { found.sentence = "takes a damaged one: \(error)" }
    return found
  }

  private static func digest(_ step: Int, _ fileSystem: FileSystem) -> String? {
    let digits = String(step)
    let name = "step-" + String(repeating: "0", count: 8 - digits.count) + digits
    return fileSystem.contents("run/checkpoints/\(name)/manifest.json").flatMap {
      try? JSONDecoder().decode(Checkpoint.Manifest.self, from: Data($0)).stateSHA256
    }
  }
}
