import CFuzzing
import Foundation

/// A file in memory that readers open by a path, filled again for each input; with names for those that look for them.
public final class InputFile {
  private let descriptor: Int32
  private let directoryPath: String
  public var path: String { "/proc/self/fd/\(descriptor)" }

  public init() {
    descriptor = memory_file()
    var template = Array("\(FileManager.default.temporaryDirectory.path)/fuzzing-XXXXXX".utf8CString)
    guard descriptor >= 0, mkdtemp(&template) != nil else { fatalError("no place for inputs: errno \(errno)") }
    directoryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    close(descriptor)
    try? FileManager.default.removeItem(atPath: directoryPath)
  }

  /// A directory in which each of some names is this file.
  func directory(holding names: [String]) -> String {
    for name in names { symlink(path, "\(directoryPath)/\(name)") }
    return directoryPath
  }

  func fill(_ bytes: [UInt8]) {
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
      fatalError("an input cannot be stored: errno \(errno)")
    }
  }
}
