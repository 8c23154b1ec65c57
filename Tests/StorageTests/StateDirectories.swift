import Foundation
import TestSupport

/// Crash states as real directories.
final class StateDirectories {
  private let base: TemporaryDirectory
  private var stored: [CrashState.Content: String] = [:]
  private var count = 0

  init() throws {
    base = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      at: base.url.appendingPathComponent("contents"), withIntermediateDirectories: true)
  }

  /// Makes the directory of a state, calls `body` with it and removes it.
  ///
  /// - Parameter writable: whether files may be changed there; else they are links to one copy of their bytes.
  func with<Result>(
    _ crash: CrashStates.Crash, writable: Bool = false, _ body: (URL) throws -> Result
  ) throws -> Result {
    count += 1
    let place = base.url.appendingPathComponent("state-\(count)").path
    guard mkdir(place, 0o755) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    defer { try? FileManager.default.removeItem(atPath: place) }
    // A path sorts before those below it.
    for path in crash.state.directories.sorted() { mkdir("\(place)/\(path)", 0o755) }
    for (path, content) in crash.state.files {
      if writable {
        try Data(crash.fileSystem.bytes(content)).write(to: URL(fileURLWithPath: "\(place)/\(path)"))
      } else {
        guard link(try file(content, crash.fileSystem), "\(place)/\(path)") == 0 else {
          throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
      }
    }
    return try body(URL(fileURLWithPath: place))
  }

  private func file(_ content: CrashState.Content, _ fileSystem: FileSystem) throws -> String {
    if let path = stored[content] { return path }
    let path = base.url.appendingPathComponent("contents/\(stored.count)").path
    try Data(fileSystem.bytes(content)).write(to: URL(fileURLWithPath: path))
    stored[content] = path
    return path
  }
}
