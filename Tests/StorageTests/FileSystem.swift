import Foundation

/// What a file system holds after some calls: what programs see, and what of it a crash can take back.
///
/// The model allows what POSIX does not forbid, which is more than any one file system does (Pillai et al., "All file
/// systems are not created equal", OSDI 2014):
///
/// - Bytes written and sizes set are safe once the file has been flushed, and not before. After a flush that failed
///   they never are, since systems forget such bytes.
/// - A name made, changed or removed is safe once its directory has been flushed. Until then each such change may be on
///   the disk or not, whichever others are.
/// - A rename is one change: the new name is there and the old one gone, or neither.
struct FileSystem {
  typealias Node = Int

  /// A file's bytes.
  struct File {
    /// Safe.
    var durable: [UInt8] = []
    /// What programs see.
    var current: [UInt8] = []
    /// Changes that are not safe, in their order.
    var pending: [Change] = []
    /// Whether a flush failed, so that what was pending then is in doubt for good.
    var hasFailed = false
    /// Counts changes and flushes: with the node it tells contents apart.
    var version = 0
  }

  enum Change {
    case write([UInt8], at: Int)
    case resize(Int)
  }

  /// A change of names.
  enum Entry {
    case link(directory: Node, name: String, node: Node)
    case unlink(directory: Node, name: String, node: Node)
    case rename(from: Node, name: String, to: Node, newName: String, node: Node)

    /// The directory whose flush makes it safe.
    var directory: Node {
      switch self {
      case .link(let directory, _, _), .unlink(let directory, _, _): directory
      case .rename(_, _, let directory, _, _): directory
      }
    }
  }

  typealias Names = [Node: [String: Node]]

  static let root: Node = 0
  private(set) var files: [Node: File] = [:]
  private(set) var durableNames: Names = [root: [:]]
  private(set) var names: Names = [root: [:]]
  private(set) var pendingNames: [Entry] = []
  private var descriptors: [Int32: Node] = [:]
  private var lastNode = root

  /// A file system of directories that are there before the first call.
  init(directories: [String] = []) {
    for path in directories { change(.link(directory: parent(path), name: last(path), node: newDirectory())) }
    makeSafe(pendingNames)
    pendingNames = []
  }

  /// A file system that holds what a real directory holds, all of it safe.
  init(contentsOf directory: URL) throws {
    // A path sorts before those below it.
    for path in try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() {
      let whole = directory.appendingPathComponent(path)
      var node = 0
      if try whole.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true {
        node = newDirectory()
      } else {
        lastNode += 1
        node = lastNode
        let bytes = Array(try Data(contentsOf: whole))
        files[node] = File(durable: bytes, current: bytes)
      }
      change(.link(directory: parent(path), name: last(path), node: node))
    }
    makeSafe(pendingNames)
    pendingNames = []
  }

  /// The bytes that programs see in a file.
  func contents(_ path: String) -> [UInt8]? { node(path).flatMap { files[$0]?.current } }

  /// Carries out a call. Those that failed change nothing, but for flushes.
  mutating func apply(_ call: Call) {
    if call.kind == .fsync {
      flush(descriptors[call.descriptor] ?? node(call.path), succeeded: call.succeeded)
      return
    }
    if call.kind == .close { descriptors[call.descriptor] = nil }
    guard call.succeeded else { return }
    switch call.kind {
    case .open: open(call)
    case .write: edit(call.descriptor, .write(call.data, at: call.offset))
    case .truncate: edit(call.descriptor, .resize(call.offset))
    case .rename:
      guard let node = node(call.path) else { preconditionFailure("no file for \(call)") }
      change(
        .rename(
          from: parent(call.path), name: last(call.path), to: parent(call.other), newName: last(call.other), node: node)
      )
    case .link:
      guard let node = node(call.path) else { preconditionFailure("no file for \(call)") }
      change(.link(directory: parent(call.other), name: last(call.other), node: node))
    case .unlink, .rmdir:
      guard let node = node(call.path) else { preconditionFailure("no file for \(call)") }
      change(.unlink(directory: parent(call.path), name: last(call.path), node: node))
    case .mkdir: change(.link(directory: parent(call.path), name: last(call.path), node: newDirectory()))
    case .fsync, .close, .lock: break
    }
  }

  // MARK: Calls

  private mutating func open(_ call: Call) {
    if let node = node(call.path) {
      descriptors[call.descriptor] = node
      if call.flags & O_TRUNC != 0, let file = files[node], !file.current.isEmpty { edit(call.descriptor, .resize(0)) }
    } else {
      precondition(call.flags & O_CREAT != 0, "no file for \(call)")
      lastNode += 1
      files[lastNode] = File()
      descriptors[call.descriptor] = lastNode
      change(.link(directory: parent(call.path), name: last(call.path), node: lastNode))
    }
  }

  private mutating func edit(_ descriptor: Int32, _ change: Change) {
    guard let node = descriptors[descriptor] else { preconditionFailure("no open file \(descriptor)") }
    change.apply(to: &files[node]!.current)
    files[node]!.pending.append(change)
    files[node]!.version += 1
  }

  private mutating func flush(_ node: Node?, succeeded: Bool) {
    guard let node else { return }
    if files[node] != nil {
      if !succeeded { files[node]!.hasFailed = true }
      guard !files[node]!.hasFailed else { return }
      files[node]!.durable = files[node]!.current
      files[node]!.pending = []
      files[node]!.version += 1
    } else if succeeded {
      makeSafe(pendingNames.filter { $0.directory == node })
      pendingNames.removeAll { $0.directory == node }
    }
  }

  private mutating func makeSafe(_ entries: [Entry]) {
    for entry in entries { entry.apply(to: &durableNames) }
  }

  private mutating func change(_ entry: Entry) {
    entry.apply(to: &names)
    pendingNames.append(entry)
  }

  private mutating func newDirectory() -> Node {
    lastNode += 1
    names[lastNode] = [:]
    durableNames[lastNode] = [:]
    return lastNode
  }

  // MARK: Names

  private func node(_ path: String) -> Node? {
    path.split(separator: "/").reduce(Optional(Self.root)) { node, name in node.flatMap { names[$0]?[String(name)] } }
  }

  private func parent(_ path: String) -> Node {
    let above = path.split(separator: "/").dropLast().joined(separator: "/")
    guard let node = node(above), names[node] != nil else { preconditionFailure("no directory for \(path)") }
    return node
  }

  private func last(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }
}

extension FileSystem.Change {
  func apply(to bytes: inout [UInt8]) {
    switch self {
    case .write(let data, let offset):
      if bytes.count < offset + data.count {
        bytes += [UInt8](repeating: 0, count: offset + data.count - bytes.count)
      }
      bytes.replaceSubrange(offset..<offset + data.count, with: data)
    case .resize(let size):
      if size < bytes.count { bytes.removeLast(bytes.count - size) }
      bytes += [UInt8](repeating: 0, count: size - bytes.count)
    }
  }
}

extension FileSystem.Entry {
  func apply(to names: inout FileSystem.Names) {
    switch self {
    case .link(let directory, let name, let node): names[directory, default: [:]][name] = node
    case .unlink(let directory, let name, let node):
      // Where an earlier change is missing the name may stand for another file.
      if names[directory]?[name] == node { names[directory]![name] = nil }
    case .rename(let from, let name, let to, let newName, let node):
      if names[from]?[name] == node { names[from]![name] = nil }
      names[to, default: [:]][newName] = node
    }
  }
}
