import Glibc

/// The text that the C library has for an error number.
func errnoText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// A file that is open for reading, closed at the end of its life.
struct FileDescriptor: ~Copyable, Sendable {
  let path: String
  private let number: Int32

  /// Opens a regular file for reading. Anything else (a directory, a pipe) is refused without waiting for it.
  init(reading path: String) throws(TensorFileError) {
    let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard number >= 0 else { throw .cannotRead(path, "open", errno: errno) }
    self.path = path
    self.number = number
  }

  deinit { close(number) }

  /// Bytes of the file, which must be a regular one.
  func size() throws(TensorFileError) -> Int {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .cannotRead(path, "examine", errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw TensorFileError(.cannotRead, path, "it is not a regular file", "give the path of a safetensors file")
    }
    return Int(status.st_size)
  }

  /// Fills `bytes` from an offset of the file on.
  func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(TensorFileError) {
    var done = 0
    while done < bytes.count {
      let count = pread(number, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        throw .malformed(path, "it ends at byte \(offset + done), cut short since it was opened")
      } else if errno != EINTR {
        throw .cannotRead(path, "read", errno: errno)
      }
    }
  }
}
