import Foundation
import TestSupport
import Testing
import Training

/// A run's directory: made, locked, and gone again where nothing came of it.
@Suite struct RunDirectoryTests {
  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  @Test func aDirectoryWithoutContentsIsRemoved() throws {
    let base = try TemporaryDirectory()
    let path = base.url.path + "/a/b/run"
    do {
      let directory = try RunDirectory(at: path)
      #expect(exists(path + "/checkpoints") && !directory.exists("config.yaml"))
    }
    #expect(!exists(base.url.path + "/a") && exists(base.url.path))
  }

  @Test func whatIsWrittenStays() throws {
    let base = try TemporaryDirectory()
    for name in ["written", "event"] {
      let path = base.url.path + "/" + name
      do {
        let directory = try RunDirectory(at: path)
        if name == "written" {
          try directory.write("seed: 1\n", to: "config.yaml")
          #expect(directory.text("config.yaml") == "seed: 1\n")
        } else {
          try directory.append(event: ["step": 1])
          try directory.append(event: ["step": 2])
        }
      }
      #expect(exists(path + "/checkpoints"))
    }
    let events = try String(contentsOfFile: base.url.path + "/event/events.jsonl", encoding: .utf8)
    #expect(events == "{\"step\":1}\n{\"step\":2}\n")
  }

  /// What was there before is not ours to remove; neither is what someone else has put there.
  @Test func othersFilesStay() throws {
    let base = try TemporaryDirectory()
    let path = base.url.path + "/run"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    do { _ = try RunDirectory(at: path) }
    #expect(exists(path))
    let other = base.url.path + "/other"
    do {
      let directory = try RunDirectory(at: other)
      try Data("x".utf8).write(to: URL(fileURLWithPath: directory.file("notes")))
    }
    #expect(exists(other + "/notes"))
  }

  @Test func oneJobAtATimeHoldsIt() throws {
    let base = try TemporaryDirectory()
    let path = base.url.path + "/run"
    let script = "exec 9>\(path)/.lock; flock -n 9 && echo free || echo held"
    do {
      let directory = try RunDirectory(at: path)
      #expect(try run(["sh", "-c", script]).standardOutput == "held\n")
      try directory.write("", to: "config.yaml")
    }
    #expect(try run(["sh", "-c", script]).standardOutput == "free\n")
  }

  /// A job that waits for the lock while the one that holds it removes the directory makes it anew.
  @Test func aWaitingJobSurvivesTheRemoval() throws {
    let base = try TemporaryDirectory()
    let path = base.url.path + "/run"
    var first: RunDirectory? = try RunDirectory(at: path)
    let holder = UncheckedBox(first)
    first = nil
    Thread.detachNewThread {
      usleep(300_000)
      holder.value = nil
    }
    let second = try RunDirectory(at: path)
    try second.write("x", to: "config.yaml")
    #expect(exists(path + "/config.yaml"))
  }

  @Test func parents() {
    for (path, parent) in [
      ("b", "."), ("bc", "."), (".", "."), ("b/", "."), ("a/b", "a"), ("a//b/", "a"), ("a/b/c", "a/b"), ("/a", "/"),
      ("/", "/"), ("//", "/"), ("/a/b", "/a"), ("../x", ".."), ("é/ü", "é"),
    ] {
      #expect(parentDirectory(of: path) == parent, "\(path)")
    }
  }

  @Test func whatCannotBeMadeIs74() throws {
    let base = try TemporaryDirectory()
    try Data("x".utf8).write(to: base.url.appendingPathComponent("file"))
    for path in [base.url.path + "/file", base.url.path + "/file/run", "/proc/run"] {
      let error = #expect(throws: TrainingError.self) { try RunDirectory(at: path) }
      #expect(error?.code == .cannotWrite && error?.description.hasPrefix("--run-dir \(path): ") == true)
    }
  }
}

/// A value that one thread hands to another.
private final class UncheckedBox: @unchecked Sendable {  // Used by one thread after the other.
  var value: RunDirectory?
  init(_ value: RunDirectory?) { self.value = value }
}
