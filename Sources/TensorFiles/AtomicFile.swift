import Glibc

/// A file that appears under its name whole or not at all, also when the process or the machine dies meanwhile.
///
/// Bytes go to a temporary file in the same directory; `commit` flushes it to the disk, renames it over the final
/// name and flushes the directory. Without `commit` the temporary file is removed and an older file of the name stays.
///
/// A symbolic link stays: the file that it leads to is replaced. What is no regular file (a device, a pipe) stays too, as does
/// the file that standard output or standard error goes to: bytes go straight there.
public struct AtomicFile: ~Copyable {
  public let path: String
  /// Where symbolic links lead to.
  private let finalName: String
  private let temporary: TemporaryName
  private let output: OutputFile

  /// Creates the temporary file, which shows early whether the directory can be written to.
  public init(path: String) throws(TensorFileError) {
    if let number = try openInPlace(path) {
      self.path = path
      finalName = path
      temporary = TemporaryName(nil)
      output = OutputFile(number)
      return
    }
    let target = try followingLinks(path)
    let directory = directoryPrefix(of: target)
    let name = target.dropFirst(directory.count)
    // A number that is taken belongs to a dead process of the same id, or to another file of this one.
    for attempt in 0..<1000 {
      let candidate = "\(directory).\(name).\(getpid())-\(attempt).temporary"
      let number = open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if number >= 0 {
        self.path = path
        finalName = target
        temporary = TemporaryName(candidate)
        output = OutputFile(number)
        return
      }
      guard errno == EEXIST else { throw TensorFileError.cannotWrite(path, "create it", errno: errno) }
    }
    throw TensorFileError.cannotWrite(path, "find a free temporary name beside it", errno: EEXIST)
  }

  /// Appends bytes.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(TensorFileError) {
    try output.write(bytes, path: path)
  }

  /// Appends the bytes of an array.
  public mutating func append(_ bytes: [UInt8]) throws(TensorFileError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(TensorFileError) in try append(UnsafeRawBufferPointer(buffer)) }
  }

  /// Returns when what was appended so far is on the disk: one step of a long way, for callers who show that they go on.
  public func flush() throws(TensorFileError) {
    if temporary.name != nil { try output.synchronize(path: path) }
  }

  /// Gives the file its name, once its bytes are on the disk.
  public consuming func commit() throws(TensorFileError) {
    guard let name = temporary.name else { return }
    try output.synchronize(path: path)
    guard rename(name, finalName) == 0 else {
      throw .cannotWrite(path, "rename the finished file to it", errno: errno)
    }
    try synchronizeDirectory(of: finalName)
  }

  /// Writes a whole file of `bytes` at once.
  public static func write(_ bytes: [UInt8], to path: String) throws(TensorFileError) {
    var file = try AtomicFile(path: path)
    try file.append(bytes)
    try file.commit()
  }
}

/// The name of a temporary file, removed at the end of its life; nil for none. After a rename there is nothing left to remove.
private struct TemporaryName: ~Copyable {
  let name: String?
  init(_ name: String?) { self.name = name }
  deinit { if let name { unlink(name) } }
}

/// A file that is open for writing, closed at the end of its life.
private struct OutputFile: ~Copyable {
  private let number: Int32
  init(_ number: Int32) { self.number = number }
  deinit { close(number) }

  /// Appends all of `bytes`.
  ///
  /// - Parameter path: what errors name.
  func write(_ bytes: UnsafeRawBufferPointer, path: String) throws(TensorFileError) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(number, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw .cannotWrite(path, "write to it", errno: errno)
      }
    }
  }

  /// Returns when the file's bytes are on the disk.
  func synchronize(path: String) throws(TensorFileError) {
    guard fsync(number) == 0 else { throw .cannotWrite(path, "flush it to the disk", errno: errno) }
  }
}

/// Opens what is there if no file may take its place: what is no regular file, or where standard output or standard error goes.
/// Returns nil for anything else.
private func openInPlace(_ path: String) throws(TensorFileError) -> Int32? {
  var status = stat()
  guard stat(path, &status) == 0 else { return nil }
  for stream in [STDOUT_FILENO, STDERR_FILENO] {
    var other = stat()
    guard fstat(stream, &other) == 0, other.st_dev == status.st_dev, other.st_ino == status.st_ino else { continue }
    // Not opened anew: two places in one file would write over each other.
    let number = fcntl(stream, F_DUPFD_CLOEXEC, 0)
    guard number >= 0 else { throw .cannotWrite(path, "open it", errno: errno) }
    return number
  }
  if status.st_mode & S_IFMT == S_IFREG { return nil }
  let number = open(path, O_WRONLY | O_CLOEXEC)
  guard number >= 0 else { throw .cannotWrite(path, "open it", errno: errno) }
  return number
}

/// The name at the end of a chain of symbolic links, whether a file of it is there or not.
private func followingLinks(_ path: String) throws(TensorFileError) -> String {
  var name = path
  // As many as the system follows.
  for _ in 0...40 {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(name, &buffer, buffer.count)
    // No link, or nothing there.
    if count < 0 { return name }
    let text = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    name = text.hasPrefix("/") ? text : directoryPrefix(of: name) + text
  }
  throw .cannotWrite(path, "follow its symbolic links", errno: ELOOP)
}

/// What stands before the name of a file: its directory with the slash, or nothing.
private func directoryPrefix(of path: String) -> String { path.lastIndex(of: "/").map { String(path[...$0]) } ?? "" }

/// Returns when the entry of `path` in its directory is on the disk.
public func synchronizeDirectory(of path: String) throws(TensorFileError) {
  let prefix = directoryPrefix(of: path)
  let directory = prefix.isEmpty ? "." : prefix
  let number = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard number >= 0 else { throw .cannotWrite(directory, "open it to flush it", errno: errno) }
  defer { close(number) }
  // Some network file systems cannot flush a directory and say EINVAL; they order the rename themselves.
  guard fsync(number) == 0 || errno == EINVAL else {
    throw .cannotWrite(directory, "flush it to the disk", errno: errno)
  }
}
