import Foundation
import TestSupport
import Testing

/// The model of a file system: it is as strict as it says, finds known mistakes, and agrees with the real one.
@Suite struct FileSystemTests {
  /// All different contents of one file over all states that a crash after the last call leaves; nil for its absence.
  private func outcomes(_ path: String, _ calls: [Call]) -> Set<String?> {
    var outcomes: Set<String?> = []
    CrashStates().forEach(of: calls, after: calls.count...calls.count, requirement: { _ in 0 }) { crash, _ in
      outcomes.insert(
        crash.state.files[path].map { String(decoding: crash.fileSystem.bytes($0), as: UTF8.self) })
    }
    return outcomes
  }

  @Test func bytesAndNamesAreLostUntilBothAreFlushed() {
    var written = CallSequence()
    written.write("abcd", to: "f", flushed: false)
    #expect(outcomes("f", written.calls) == [nil, "", "ab", "abcd", "\0\0\0\0"])

    var flushed = CallSequence()
    flushed.write("abcd", to: "f")
    #expect(outcomes("f", flushed.calls) == [nil, "abcd"])
    flushed.flushDirectory("")
    #expect(outcomes("f", flushed.calls) == ["abcd"])

    written.flushDirectory("")
    #expect(outcomes("f", written.calls) == ["", "ab", "abcd", "\0\0\0\0"])
  }

  @Test func aRenameIsOneChange() {
    var calls = CallSequence()
    calls.write("old", to: "f")
    calls.flushDirectory("")
    calls.write("new", to: "g")
    calls.rename("g", "f")
    #expect(outcomes("f", calls.calls) == ["old", "new"])
    calls.flushDirectory("")
    #expect(outcomes("f", calls.calls) == ["new"])
    #expect(outcomes("g", calls.calls) == [nil])
  }

  @Test func aDirectoryThatIsNotThereHoldsNothing() {
    var calls = CallSequence()
    calls.makeDirectory("d")
    calls.write("x", to: "d/f")
    calls.flushDirectory("d")
    #expect(outcomes("d/f", calls.calls) == [nil, "x"])
    calls.flushDirectory("")
    #expect(outcomes("d/f", calls.calls) == ["x"])
  }

  /// After a flush that failed, one that succeeds says nothing about the bytes before.
  @Test func aFailedFlushIsNotMadeGoodByAnother() {
    var calls = CallSequence()
    calls.write("abcd", to: "f")
    calls.flushDirectory("")
    var all = calls.calls
    let flush = all.firstIndex { $0.kind == .fsync }!
    var failed = all[flush]
    (failed.result, failed.error) = (-1, EIO)
    all.insert(failed, at: flush)
    #expect(outcomes("f", all) == ["", "ab", "abcd", "\0\0\0\0"])
  }

  /// Two saves in the manner of PyTorch's distributed checkpoint (`filesystem.py`, `finish`), each with data of its own
  /// name: the metadata of the first is removed before that of the second has its name, and no directory is ever flushed. With
  /// `flushesDirectory` it is, before the rename, so that the data have their name, and after it.
  private func distributedCheckpoint(unlinksFirst: Bool, flushesDirectory: Bool) -> [Call] {
    var calls = CallSequence()
    calls.makeDirectory("c")
    calls.flushDirectory("")
    for save in 1...2 {
      calls.write("data \(save)", to: "c/data-\(save)")
      calls.write("data-\(save)", to: "c/.metadata.tmp")
      if flushesDirectory { calls.flushDirectory("c") }
      if save > 1 && unlinksFirst { calls.unlink("c/.metadata") }
      calls.rename("c/.metadata.tmp", "c/.metadata")
      if flushesDirectory { calls.flushDirectory("c") }
      calls.write("\(save)", to: "acknowledged", flushed: false)
    }
    return calls.calls
  }

  /// The last call before which an acknowledged save is lost, for each that loses one.
  private func losses(_ calls: [Call]) -> Set<String> {
    var losses: Set<String> = []
    CrashStates().forEach(of: calls) { fileSystem in
      fileSystem.contents("acknowledged").flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
    } _: { crash, acknowledged in
      func text(_ path: String) -> String? {
        crash.state.files[path].map { String(decoding: crash.fileSystem.bytes($0), as: UTF8.self) }
      }
      let name = text("c/.metadata")
      let found = name.flatMap { text("c/\($0)") }.flatMap { Int($0.dropFirst("data ".count)) } ?? 0
      if found < acknowledged { losses.insert("\(calls[crash.calls - 1])") }
    }
    return losses
  }

  @Test func theModelFindsWhatPyTorchLoses() {
    let asItIs = losses(distributedCheckpoint(unlinksFirst: true, flushesDirectory: false))
    #expect(asItIs.contains("unlink c/.metadata"), "\(asItIs)")
    // Each of the two mistakes alone.
    let unlinked = losses(distributedCheckpoint(unlinksFirst: true, flushesDirectory: true))
    #expect(unlinked.contains("unlink c/.metadata"), "\(unlinked)")
    #expect(!losses(distributedCheckpoint(unlinksFirst: false, flushesDirectory: false)).isEmpty)
    #expect(losses(distributedCheckpoint(unlinksFirst: false, flushesDirectory: true)) == [])
  }

  /// What the trace of a real run gives, all calls made and nothing lost, is the directory that the run left.
  @Test func aReplayedTraceGivesTheRealDirectory() throws {
    let (directory, place) = (try TemporaryDirectory(), try TemporaryDirectory())
    let (job, calls) = try TinyRun.train(in: directory.url, recordingIn: place.url)
    try #require(job.exitCode == 0, "\(job.transcript)")
    for kind in [Call.Kind.open, .write, .fsync, .rename, .mkdir, .close] {
      #expect(calls.contains { $0.kind == kind && $0.succeeded }, "no \(kind) was recorded")
    }
    var fileSystem = FileSystem()
    for call in calls { fileSystem.apply(call) }
    let state = fileSystem.state(keeping: { _ in true }) { _ in .nothing }
    var files: [String: [UInt8]] = [:]
    var directories: Set<String> = []
    for path in try FileManager.default.subpathsOfDirectory(atPath: directory.url.path) {
      let whole = directory.url.appendingPathComponent(path)
      var isDirectory: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: whole.path, isDirectory: &isDirectory)
      if isDirectory.boolValue { directories.insert(path) } else { files[path] = Array(try Data(contentsOf: whole)) }
    }
    #expect(state.directories == directories)
    #expect(Set(state.files.keys) == Set(files.keys))
    for (path, content) in state.files {
      #expect(fileSystem.bytes(content) == files[path], "\(path) is another in the replay")
    }
  }
}
