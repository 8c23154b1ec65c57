import CSystem
import Glibc

/// A directory that appears under its name whole or not at all, also when the process or the machine dies meanwhile.
///
/// Files are made in a hidden directory beside it, each of them on the disk before the next step (`AtomicFile`); `commit` renames
/// that to the final name and flushes the directory above. Without `commit` everything is removed again. What is at the
/// name before stays there until all of the new one is on the disk.
public struct AtomicDirectory: ~Copyable {
  public let path: String
  private let temporary: TemporaryTree

  /// Makes the hidden directory, after removing what a dead process left there.
  public init(path: String) throws(TensorFileError) {
    let (parent, name) = parts(of: path)
    temporary = TemporaryTree("\(parent)/.\(name).temporary")
    self.path = path
    removeTree(temporary.path)
    guard mkdir(temporary.path, 0o777) == 0 else { throw .cannotWrite(path, "create it", errno: errno) }
  }

  /// Where a file of this name is to be written, by something that flushes it.
  public func file(_ name: String) -> String { temporary.path + "/" + name }

  /// Gives the directory its name.
  public consuming func commit() throws(TensorFileError) {
    // A directory with files in it is not renamed over: the two change places, and the other is removed at the end.
    var isThere = cs_exchange(temporary.path, path) == 0 || rename(temporary.path, path) == 0
    if !isThere, errno == ENOTEMPTY || errno == EEXIST {
      // A file system that cannot exchange.
      try Self.remove(path)
      isThere = rename(temporary.path, path) == 0
    }
    guard isThere else {
      throw .cannotWrite(path, "rename the finished directory to it", errno: errno)
    }
    try synchronizeDirectory(of: path)
  }

  /// Removes what processes that died left in a directory: hidden directories of `AtomicDirectory` and temporary files.
  public static func removeLeftovers(in directory: String) {
    for name in entries(of: directory)
    where name.hasPrefix(".") && (name.hasSuffix(".temporary") || name.hasSuffix(".replaced")) {
      removeTree(directory + "/" + name)
    }
  }

  /// Removes a directory and all that is in it. It is gone under its name at once, or not at all.
  public static func remove(_ path: String) throws(TensorFileError) {
    let (parent, name) = parts(of: path)
    let aside = "\(parent)/.\(name).replaced"
    removeTree(aside)
    guard rename(path, aside) == 0 else { throw .cannotWrite(path, "remove it", errno: errno) }
    removeTree(aside)
  }
}

/// A tree that is removed at the end of its life. After a rename there is nothing left to remove.
struct TemporaryTree: ~Copyable {
  let path: String
  init(_ path: String) { self.path = path }
  deinit { removeTree(path) }
}

/// The directory that a path lies in, and its name there.
private func parts(of path: String) -> (parent: String, name: String) {
  guard let slash = path.lastIndex(of: "/") else { return (".", path) }
  return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
}

/// The names in a directory, in no order; none where there is no such directory.
/// - Throws: `.cannotRead` where there is one that cannot be read.
public func namesOfEntries(in directory: String) throws(TensorFileError) -> [String] {
  guard let stream = opendir(directory) else {
    if errno == ENOENT { return [] }
    throw .cannotRead(directory, "list", errno: errno)
  }
  defer { closedir(stream) }
  var names: [String] = []
  errno = 0
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
    errno = 0
  }
  guard errno == 0 else { throw .cannotRead(directory, "list", errno: errno) }
  return names
}

/// As many as can be read.
private func entries(of directory: String) -> [String] { (try? namesOfEntries(in: directory)) ?? [] }

/// As much of it as can be removed.
private func removeTree(_ path: String) {
  if unlink(path) == 0 || errno == ENOENT { return }
  for name in entries(of: path) { removeTree(path + "/" + name) }
  rmdir(path)
}
