import Foundation
import TensorFiles

/// The directory of one run, in the hands of rank 0.
///
///     config.yaml            every resolved setting
///     events.jsonl           one object for each event
///     checkpoints/step-…     states to go on from
///     model.safetensors      final parameters      (model-best.safetensors: those of the best evaluation)
///     stragglers.md          what slow ranks cost, if there were any
///     summary.json           how the run ended; its presence says that the run is finished
///     plan.json              the choice of kernels, where a run keeps one
///     logs/rank-0000.log     what each rank did and when (`RankLog`)
///     logs/stacks-0000.txt   where its threads were, if the watchdog ended the job
///     .lock                  held by the job that is at work
public final class RunDirectory {
  public let path: String
  private let lock: Int32
  /// Directories that this job made, outer ones first.
  private let created: [String]
  private var isWritten = false
  private var events: EventFile?

  /// Creates the directory, or opens an existing one, and takes its lock.
  ///
  /// - Parameter waits: called ten times a second meanwhile.
  /// - Throws: 74 where it cannot be written, 64 where another job holds it for longer than ten seconds: ranks outlive a
  ///   killed `mpirun` by a second or two, so the lock is waited for.
  public init(at path: String, waits: () -> Void = {}) throws {
    let deadline = Date().addingTimeInterval(10)
    while true {
      let created = try ["", "/checkpoints", "/logs"].flatMap { try Self.create(path + $0, flag: path) }
      let descriptor = open(path + "/.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw Self.cannotWrite("--run-dir \(path)", errno) }
      while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        guard errno == EWOULDBLOCK || errno == EINTR else {
          let code = errno
          close(descriptor)
          throw Self.cannotWrite("--run-dir \(path)/.lock", code)
        }
        guard Date() < deadline else {
          close(descriptor)
          throw TrainingError(
            .badConfiguration,
            "--run-dir \(path): another job is using it; wait for it to end, or give another directory.")
        }
        usleep(100_000)
        waits()
      }
      // The job that held the lock may have failed at its start and removed the directory.
      var held = stat()
      var named = stat()
      if fstat(descriptor, &held) == 0, stat(path + "/.lock", &named) == 0, held.st_ino == named.st_ino {
        (self.path, self.created, lock) = (path, created, descriptor)
        return
      }
      close(descriptor)
    }
  }

  /// Removes a file, if it is there.
  func remove(_ name: String) throws {
    guard unlink(file(name)) == 0 || errno == ENOENT else { throw Self.cannotWrite(file(name), errno) }
  }

  /// A job that fails before it writes anything leaves no directory behind.
  deinit {
    if !isWritten && created.contains(path) {
      unlink(path + "/.lock")
      // Only where they are empty.
      for directory in created.reversed() { rmdir(directory) }
    }
    close(lock)
  }

  /// Makes a directory and those above it; returns the ones that were not there, outer ones first.
  private static func create(_ path: String, flag: String) throws -> [String] {
    if mkdir(path, 0o777) == 0 {
      try synchronizeParent(of: path, flag: flag)
      return [path]
    }
    let code = errno
    let parent = parentDirectory(of: path)
    if code == ENOENT && parent != path {
      let above = try create(parent, flag: flag)
      guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw cannotWrite("--run-dir \(flag)", errno) }
      try synchronizeParent(of: path, flag: flag)
      return above + [path]
    }
    var status = stat()
    guard code == EEXIST, stat(path, &status) == 0 else { throw cannotWrite("--run-dir \(flag)", code) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw cannotWrite("--run-dir \(flag)", ENOTDIR) }
    return []
  }

  /// A directory that is not on the disk takes what is in it along.
  private static func synchronizeParent(of path: String, flag: String) throws {
    do { try synchronizeDirectory(of: path) } catch { throw TrainingError(.cannotWrite, "--run-dir \(flag): \(error)") }
  }

  public func file(_ name: String) -> String { path + "/" + name }

  public func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

  public func text(_ name: String) -> String? { try? String(contentsOfFile: file(name), encoding: .utf8) }

  /// Writes a whole file, which appears complete or not at all.
  public func write(_ text: String, to name: String) throws {
    isWritten = true
    try classifying { try AtomicFile.write(Array(text.utf8), to: file(name)) }
  }

  /// Appends an object to `events.jsonl`.
  public func append(event: some Encodable) throws {
    isWritten = true
    let file = try events ?? EventFile(path: file("events.jsonl"))
    events = file
    try file.append(Self.json(event) + Data("\n".utf8))
  }

  /// One line of JSON with sorted keys, so that equal values give equal text.
  public static func json(_ value: some Encodable, pretty: Bool = false) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try encoder.encode(value)
  }

  static func cannotWrite(_ path: String, _ code: Int32) -> TrainingError {
    TrainingError(
      .cannotWrite,
      "\(path): cannot be written (\(String(cString: strerror(code)).lowercased())); "
        + "give another directory with --run-dir, or free space.")
  }
}

/// The directory that holds a path: `.` for a name alone and for itself, `/` for the root.
///
/// Foundation's function of the kind crashes on a name of one character.
package func parentDirectory(of path: String) -> String {
  func trimmed(_ path: Substring) -> Substring {
    path.dropLast(path.reversed().prefix { $0 == "/" }.count)
  }
  let path = trimmed(path[...])
  guard let slash = path.lastIndex(of: "/") else { return path.isEmpty ? "/" : "." }
  let parent = trimmed(path[..<slash])
  return parent.isEmpty ? "/" : String(parent)
}
