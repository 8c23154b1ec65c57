import Foundation

/// Calls written by hand, all of which succeed.
struct CallSequence {
  private(set) var calls: [Call] = []
  private var lastDescriptor: Int32 = 10

  mutating func makeDirectory(_ path: String) { calls.append(Call(kind: .mkdir, path: path)) }

  /// Writes a file from its start.
  mutating func write(_ text: String, to path: String, flushed: Bool = true) {
    lastDescriptor += 1
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    calls.append(
      Call(kind: .open, descriptor: lastDescriptor, result: Int64(lastDescriptor), flags: flags, path: path))
    let data = Array(text.utf8)
    calls.append(Call(kind: .write, descriptor: lastDescriptor, result: Int64(data.count), path: path, data: data))
    if flushed { calls.append(Call(kind: .fsync, descriptor: lastDescriptor, path: path)) }
    calls.append(Call(kind: .close, descriptor: lastDescriptor, path: path))
  }

  mutating func flushDirectory(_ path: String) {
    lastDescriptor += 1
    calls.append(
      Call(
        kind: .open, descriptor: lastDescriptor, result: Int64(lastDescriptor), flags: O_RDONLY | O_DIRECTORY,
        path: path))
    calls.append(Call(kind: .fsync, descriptor: lastDescriptor, path: path))
    calls.append(Call(kind: .close, descriptor: lastDescriptor, path: path))
  }

  mutating func rename(_ path: String, _ other: String) { calls.append(Call(kind: .rename, path: path, other: other)) }
  mutating func unlink(_ path: String) { calls.append(Call(kind: .unlink, path: path)) }
}
