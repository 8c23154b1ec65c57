import Foundation
import TestSupport
import Testing
import Training

/// Storage that fails at one call after another: the program ends as it should, with a sentence; no acknowledged
/// checkpoint is lost; and the next run, on sound storage, ends with the bits of the run that nothing disturbed.
///
/// The suite tries some of the calls; with SWIFT_DP_TRAIN_LONG_TESTS it tries all.
@Suite(.serialized) struct FaultTests {
  private static let isLong = ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_LONG_TESTS"] != nil

  /// The calls of a run that nothing disturbs.
  private static let calls = Result<[Call], any Error> {
    let (directory, place) = (try TemporaryDirectory(), try TemporaryDirectory())
    let (job, calls) = try TinyRun.train(in: directory.url, recordingIn: place.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    return calls
  }

  /// All numbers of calls in the long form; else about `count` of them, the first and the last among them.
  private func chosen(_ count: Int, of kinds: [Call.Kind], offset: Int = 0) throws -> [Int] {
    let total = try Self.calls.get().filter { kinds.contains($0.kind) }.count
    guard total > 0 else { return [] }
    if Self.isLong || total <= count { return Array(1...total) }
    return (0..<count).map { 1 + ($0 * (total - 1) + offset * (total - 1) / count) / (count - 1) }.filter {
      $0 <= total
    }
  }

  /// Runs under a fault, then without; checks both. `directory` may hold a run that was stopped on its way.
  private func check(
    _ fault: StorageFault, in directory: URL, expecting codes: Set<Int32> = [0, 74, 75],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let place = try TemporaryDirectory()
    let before = try acknowledged(in: directory)
    let (job, calls) = try TinyRun.train(in: directory, recordingIn: place.url, fault)
    let injected = calls.first { $0.isInjected }
    let culprit = injected.map { "\($0)" } ?? "a call that is not recorded"
    // Which is one that lists a directory: a run that may have had checkpoints does not begin anew.
    var codes = codes
    if injected == nil, case .fail = fault.action { codes.insert(65) }
    let context = Comment(rawValue: "\(fault), \(culprit):\n\(job.transcript)")
    #expect(codes.contains(job.exitCode) && !job.timedOut, context, sourceLocation: sourceLocation)
    if job.exitCode != 0 && job.exitCode < 128 {
      let last = job.standardError.split(separator: "\n").last ?? ""
      let isSentence = last.hasPrefix("error (\(job.exitCode)): ") || job.exitCode == 75
      #expect(isSentence && last.contains("run"), context, sourceLocation: sourceLocation)
    }
    let after = try acknowledged(in: directory)
    if job.exitCode == 0, let call = calls.first(where: \.isInjected), let step = Self.unsaved(call, after) {
      #expect(
        job.standardError.contains("warning: "), "step \(step) is not saved and nothing is said: \(context)",
        sourceLocation: sourceLocation)
    }
    // A run that cannot find what it had stops; it does not begin again.
    if job.exitCode == 0 && !before.isEmpty {
      #expect(job.standardError.contains("going on from"), context, sourceLocation: sourceLocation)
    }
    expectNothingLost(Set(before + after), in: directory, context, sourceLocation)

    let again = try TinyRun.train(in: directory)
    guard again.exitCode == 0 else {
      Issue.record("after \(context)\nthe next run fails:\n\(again.transcript)", sourceLocation: sourceLocation)
      return
    }
    let digest = try TinyRun.stateDigest.get()
    #expect(try TinyRun.finalDigest(in: directory) == digest, context, sourceLocation: sourceLocation)
  }

  /// The step of a checkpoint that a failed call was writing, where it was not acknowledged.
  private static func unsaved(_ call: Call, _ acknowledged: [Int]) -> Int? {
    guard [.open, .write, .fsync, .mkdir, .rename].contains(call.kind), !call.succeeded,
      let name = call.path.firstMatch(of: /step-(\d+)\.temporary/), let step = Int(name.1)
    else { return nil }
    return acknowledged.contains(step) ? nil : step
  }

  private func acknowledged(in directory: URL) throws -> [Int] {
    let path = directory.appendingPathComponent("run/events.jsonl").path
    return TinyRun.acknowledged(FileManager.default.contents(atPath: path).map { Array($0) } ?? [])
  }

  /// Every acknowledged checkpoint is whole, or was removed because a newer one that is whole had been acknowledged.
  private func expectNothingLost(
    _ steps: Set<Int>, in directory: URL, _ context: Comment, _ sourceLocation: SourceLocation
  ) {
    let newest = TinyRun.newestCheckpoint(in: directory)
    #expect(
      newest?.manifest.step ?? 0 >= steps.max() ?? 0, "step \(steps.max() ?? 0) was acknowledged\n\(context)",
      sourceLocation: sourceLocation)
    for path in (try? TinyRun.checkpoints(in: directory).paths()) ?? [] {
      guard let step = Int(path.suffix(8)), steps.contains(step), step > (newest?.manifest.step ?? 0) - 2 else {
        continue
      }
      #expect(
        throws: Never.self, "\(path) was acknowledged\n\(context)", sourceLocation: sourceLocation
      ) { try Checkpoint(path: path).verifyContents() }
    }
  }

  private static let changing = Call.Kind.allCases.filter { $0 != .lock }
  /// What needs room, and fails on a full disk.
  private static let growing: [Call.Kind] = [.write, .mkdir]

  @Test(arguments: [ENOSPC, EIO])
  func oneCallFails(_ error: Int32) throws {
    for call in try chosen(6, of: Self.changing, offset: error == EIO ? 1 : 0) {
      let directory = try TemporaryDirectory()
      try check(StorageFault(action: .fail(error), call: call, kinds: Self.changing), in: directory.url)
    }
  }

  /// Of each kind one in the middle, where checkpoints are written.
  @Test func oneCallOfEachKindFails() throws {
    for kind in Self.changing {
      let total = try Self.calls.get().filter { $0.kind == kind }.count
      guard total > 0 else { continue }
      let directory = try TemporaryDirectory()
      try check(StorageFault(action: .fail(EIO), call: (total + 1) / 2, kinds: [kind]), in: directory.url)
    }
  }

  @Test(arguments: [ENOSPC, EDQUOT, EROFS])
  func allCallsFailFromOneOn(_ error: Int32) throws {
    let kinds = error == EROFS ? [.write, .mkdir, .rename, .unlink, .rmdir, .truncate] : Self.growing
    for call in try chosen(3, of: kinds) {
      let directory = try TemporaryDirectory()
      try check(StorageFault(action: .fail(error), call: call, kinds: kinds, isLasting: true), in: directory.url)
    }
  }

  /// A write that writes less than it was given goes on with the rest.
  @Test func shortWrites() throws {
    for call in try chosen(3, of: [.write]) {
      let directory = try TemporaryDirectory()
      try check(StorageFault(action: .short, call: call, kinds: [.write]), in: directory.url, expecting: [0])
    }
    let directory = try TemporaryDirectory()
    try check(
      StorageFault(action: .short, call: 1, kinds: [.write], isLasting: true), in: directory.url, expecting: [0])
  }

  @Test func killedAtACall() throws {
    for call in try chosen(5, of: Self.changing) {
      let directory = try TemporaryDirectory()
      try check(StorageFault(action: .kill, call: call, kinds: Self.changing), in: directory.url, expecting: [0, 137])
    }
  }

  /// The storage fails while a run is taken up again: what it had is still there for the next.
  @Test func oneCallFailsWhenARunGoesOn() throws {
    let place = try TemporaryDirectory()
    let total = try Self.calls.get().count
    for call in Self.isLong ? Array(1...60) : [1, 4, 6, 8, 9, 12, 20] {
      let directory = try TemporaryDirectory()
      let kill = StorageFault(action: .kill, call: total * 2 / 3)
      _ = try TinyRun.train(in: directory.url, recordingIn: place.url, kill)
      #expect(try acknowledged(in: directory.url).count >= 2)
      try check(
        StorageFault(action: .fail(EIO), call: call, kinds: Self.changing), in: directory.url,
        expecting: [0, 65, 74, 75])
    }
  }

  @Test func aStallChangesNothing() throws {
    let directory = try TemporaryDirectory()
    try check(
      StorageFault(action: .stall(milliseconds: 3), call: 1, isLasting: true), in: directory.url, expecting: [0])
    let other = try TemporaryDirectory()
    try check(StorageFault(action: .stall(milliseconds: 700), call: 40), in: other.url, expecting: [0])
  }

  /// What a failed flush leaves in doubt is not acknowledged, and no second flush of the same file is trusted: from
  /// every crash state of the run with the failure, no acknowledged checkpoint is lost.
  @Test func aFailedFlushIsNeverTrusted() throws {
    let flushes = try Self.calls.get().enumerated().filter { $1.kind == .fsync && $1.path.hasPrefix("run/checkpoints") }
    let numbers = try flushes.map { index, _ in try Self.calls.get()[...index].filter { $0.kind == .fsync }.count }
    // Of one checkpoint, in the short form, each flush that it takes.
    let middle = numbers.count / 2
    let some = Self.isLong ? numbers : Array(numbers[middle..<min(middle + 5, numbers.count)])
    for call in some {
      let (directory, place) = (try TemporaryDirectory(), try TemporaryDirectory())
      for path in ["run", "run/checkpoints", "run/logs"] {
        mkdir(directory.url.appendingPathComponent(path).path, 0o755)
      }
      let fault = StorageFault(action: .fail(EIO), call: call, kinds: [.fsync])
      let (job, calls) = try TinyRun.train(in: directory.url, recordingIn: place.url, fault)
      let start = FileSystem(directories: ["run", "run/checkpoints", "run/logs"])
      // Crashes before the failure are those of the other tests, and those long after it come after newer checkpoints.
      let failure = calls.firstIndex(where: \.isInjected) ?? 0
      let report = try Durability.check(
        calls, in: start, states: CrashStates(random: 1),
        after: failure...(Self.isLong ? calls.count : min(calls.count, failure + 100)))
      let culprit = calls.first { $0.isInjected }.map { "\($0)" } ?? "?"
      #expect(
        report.violations.isEmpty,
        "\(fault), \(culprit): \(report.violations.count) of \(report.states) states:\n\(report.violations.first ?? "")"
      )
      #expect([0, 74].contains(job.exitCode), "\(job.transcript)")
      // The flush is not tried again on the same open file.
      if let failed = calls.firstIndex(where: \.isInjected) {
        let later = calls[(failed + 1)...].prefix { !($0.kind == .close && $0.descriptor == calls[failed].descriptor) }
        #expect(
          !later.contains { $0.kind == .fsync && $0.descriptor == calls[failed].descriptor }, "\(culprit) is repeated")
      }
    }
  }
}
