import Foundation

/// A directory of its own that goes with its owner.
public final class TemporaryDirectory: Sendable {
  public let url: URL

  public init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("swift-dp-train-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// Where the programs of this package were built: beside the program that runs the tests.
public func productsDirectory() -> URL {
  URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
}

/// A program of this package.
public func product(_ name: String) -> String { productsDirectory().appendingPathComponent(name).path }

/// Writes a program that is a script.
///
/// Another process writes it: what this one has open for writing, commands that other threads start may have too for a
/// moment, and then it cannot be run.
public func writeProgram(_ text: String, to file: URL) throws {
  let source = try TemporaryDirectory()
  let copy = source.url.appendingPathComponent("program")
  try Data(text.utf8).write(to: copy)
  let result = try run(["install", "-m", "755", copy.path, file.path])
  if result.exitCode != 0 { throw CommandNotStarted(description: result.transcript) }
}

/// A script of `launch/`.
public func launchScript(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("launch/\(name)").path
}
