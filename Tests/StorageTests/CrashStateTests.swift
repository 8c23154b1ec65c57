import Foundation
import TestSupport
import Testing

/// Crash states of a run, enumerated from its recorded calls: whatever is left, no acknowledged checkpoint is lost.
@Suite(.serialized) struct CrashStateTests {
  private static let isLong = ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_LONG_TESTS"] != nil
  private static let states = CrashStates(random: isLong ? 64 : 4)

  /// The calls of a run that nothing disturbs, in a new directory.
  private static let recorded = Result<[Call], any Error> {
    let (directory, place) = (try TemporaryDirectory(), try TemporaryDirectory())
    let (job, calls) = try TinyRun.train(in: directory.url, recordingIn: place.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return calls
  }

  private func summary(_ report: Durability.Report) -> Comment {
    let first = report.violations.prefix(5).joined(separator: "\n")
    return "\(report.violations.count) of \(report.states) states, the first:\n\(first)"
  }

  /// Also the run's own directory, which is new, must be safe before a checkpoint in it is.
  @Test func noStateLosesAnAcknowledgedCheckpoint() throws {
    let report = try Durability.check(Self.recorded.get(), states: Self.states)
    #expect(report.states > 500)
    #expect(report.violations.isEmpty, "\(summary(report))")
  }

  private static let old = ["run", "run/checkpoints", "run/logs"]

  /// The calls of a run in a directory that was there before, so that nothing of it can be lost but what is in it.
  private static let recordedInOldDirectory = Result<[Call], any Error> {
    let (directory, place) = (try TemporaryDirectory(), try TemporaryDirectory())
    for path in old { mkdir(directory.url.appendingPathComponent(path).path, 0o755) }
    let (job, calls) = try TinyRun.train(in: directory.url, recordingIn: place.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return calls
  }

  /// The same in an old directory; and from some of the states the program goes on to the bits of the run that nothing
  /// disturbed.
  @Test func someStatesGoOnToTheSameBits() throws {
    let calls = try Self.recordedInOldDirectory.get()
    let report = try Durability.check(
      calls, in: FileSystem(directories: Self.old), states: Self.states, sampling: Self.isLong ? 400 : 10)
    #expect(report.violations.isEmpty, "\(summary(report))")

    let digest = try TinyRun.stateDigest.get()
    let directories = try StateDirectories()
    for crash in report.sample {
      try directories.with(crash, writable: true) { directory in
        let job = try TinyRun.train(in: directory)
        let context = Comment(
          rawValue: "after call \(crash.calls) of \(calls.count), \(crash.state):\n\(job.transcript)")
        try #require(job.exitCode == 0, context)
        #expect(try TinyRun.finalDigest(in: directory) == digest, context)
      }
    }
  }

  /// A run that was killed in the middle goes on; then a crash comes. What was acknowledged before counts as well.
  @Test func noStateOfARunThatGoesOnLosesACheckpoint() throws {
    let total = try Self.recorded.get().count
    for kill in Self.isLong ? Array(stride(from: total / 4, to: total, by: 7)) : [total / 2, total * 3 / 4] {
      let (directory, place) = (try TemporaryDirectory(), try TemporaryDirectory())
      _ = try TinyRun.train(in: directory.url, recordingIn: place.url, StorageFault(action: .kill, call: kill))
      let start = try FileSystem(contentsOf: directory.url)
      let (job, calls) = try TinyRun.train(in: directory.url, recordingIn: place.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      let report = try Durability.check(calls, in: start, states: Self.states)
      #expect(report.violations.isEmpty, "killed at call \(kill): \(summary(report))")
    }
  }

  /// A promise that cannot be seen broken proves nothing: each of these writers loses a checkpoint in some state.
  @Test func brokenWritersAreFound() throws {
    let calls = try Self.recordedInOldDirectory.get()
    func isFlush(_ call: Call) -> Bool { call.kind == .fsync && call.path.hasPrefix("run/checkpoints") }
    let paths = Set(calls.flatMap { [$0.path, $0.other] })
    func isDirectory(_ call: Call) -> Bool { paths.contains { $0.hasPrefix(call.path + "/") } }
    var writers = [
      "no flush of files": calls.filter { !isFlush($0) || isDirectory($0) },
      "no flush of the checkpoint's directory": calls.filter {
        !isFlush($0) || !isDirectory($0) || $0.path == "run/checkpoints"
      },
      "no flush of the directory of checkpoints": calls.filter { !isFlush($0) || $0.path != "run/checkpoints" },
    ]
    // Each acknowledgement before the rename that makes it true.
    var early: [Call] = []
    for call in calls {
      let isAcknowledgement = call.kind == .write && !TinyRun.acknowledged(call.data).isEmpty
      let rename = early.lastIndex { $0.kind == .rename && $0.other.hasPrefix("run/checkpoints/step-") }
      if isAcknowledgement, let rename { early.insert(call, at: rename) } else { early.append(call) }
    }
    writers["an acknowledgement that comes too early"] = early
    for (name, broken) in writers {
      #expect(broken.count < calls.count || name.contains("early"), "\(name): nothing was broken")
      let report = try Durability.check(
        broken, in: FileSystem(directories: Self.old), states: CrashStates(random: 0), stopsEarly: true)
      #expect(!report.violations.isEmpty, "\(name) is not found out in \(report.states) states")
    }
  }
}
