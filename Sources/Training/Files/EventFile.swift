import Foundation

/// `events.jsonl`: a line for each event, which is there whole or not at all.
///
/// One process writes it at a time, the holder of the run's lock.
final class EventFile {
  let path: String
  private let descriptor: Int32

  /// Opens the file for appending, without the half line that a process left which was killed in the middle of it.
  /// - Throws: 74.
  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw RunDirectory.cannotWrite(path, errno) }
    let size = lseek(descriptor, 0, SEEK_END)
    var end = size
    var byte: UInt8 = 0
    while end > 0, pread(descriptor, &byte, 1, end - 1) == 1, byte != UInt8(ascii: "\n") { end -= 1 }
    if end < size { ftruncate(descriptor, end) }
  }

  deinit { close(descriptor) }

  /// Appends a line, or leaves the file as it was.
  /// - Throws: 74.
  func append(_ line: Data) throws {
    let start = lseek(descriptor, 0, SEEK_END)
    var rest = line[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        let code = errno
        ftruncate(descriptor, start)
        throw RunDirectory.cannotWrite(path, code)
      }
    }
  }
}
