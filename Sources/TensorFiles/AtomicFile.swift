import Glibc

/// A file that appears under its name whole or not at all, also when the process or the machine dies meanwhile.
///
/// Bytes go to a temporary file in the same directory; `commit` flushes it to the disk, renames it over the final
/// name and flushes the directory. Without `commit` the temporary file is removed and an older file of the name stays.
public struct AtomicFile: ~Copyable {
  public let path: String
  private let temporary: TemporaryName
  private let descriptor: FileDescriptor

  /// Creates the temporary file, which shows early whether the directory can be written to.
  public init(path: String) throws(TensorFileError) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    // A number that is taken belongs to a dead process of the same id, or to another file of this one.
    for attempt in 0..<1000 {
      let candidate = "\(directory).\(name).\(getpid())-\(attempt).temporary"
      if let descriptor = try FileDescriptor(creating: candidate, for: path) {
        self.path = path
        self.descriptor = descriptor
        temporary = TemporaryName(candidate)
        return
      }
    }
    throw TensorFileError.cannotWrite(path, "find a free temporary name beside it", errno: EEXIST)
  }

  /// Appends bytes.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(TensorFileError) {
    try descriptor.write(bytes)
  }

  /// Appends the bytes of an array.
  public mutating func append(_ bytes: [UInt8]) throws(TensorFileError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(TensorFileError) in try append(UnsafeRawBufferPointer(buffer)) }
  }

  /// Gives the file its name, once its bytes are on the disk.
  public consuming func commit() throws(TensorFileError) {
    try descriptor.synchronize()
    guard rename(temporary.name, path) == 0 else {
      throw .cannotWrite(path, "rename the finished file to it", errno: errno)
    }
    try synchronizeDirectory(of: path)
  }

  /// Writes a whole file of `bytes` at once.
  public static func write(_ bytes: [UInt8], to path: String) throws(TensorFileError) {
    var file = try AtomicFile(path: path)
    try file.append(bytes)
    try file.commit()
  }
}

/// The name of a temporary file, removed at the end of its life. After a rename there is nothing left to remove.
private struct TemporaryName: ~Copyable {
  let name: String
  init(_ name: String) { self.name = name }
  deinit { unlink(name) }
}

/// Returns when the entry of `path` in its directory is on the disk.
public func synchronizeDirectory(of path: String) throws(TensorFileError) {
  let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
  let number = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard number >= 0 else { throw .cannotWrite(directory, "open it to flush it", errno: errno) }
  defer { close(number) }
  // Some network file systems cannot flush a directory and say EINVAL; they order the rename themselves.
  guard fsync(number) == 0 || errno == EINVAL else {
    throw .cannotWrite(directory, "flush it to the disk", errno: errno)
  }
}
