import Foundation
import TensorFiles

/// The directory of one run, in the hands of rank 0.
///
///     config.yaml            every resolved setting
///     events.jsonl           one object for each event
///     checkpoints/step-…     states to go on from
///     model.safetensors      final parameters      (model-best.safetensors: those of the best evaluation)
///     summary.json           how the run ended; its presence says that the run is finished
///     logs/rank-0000.log     what rank 0 wrote
public final class RunDirectory {
  public let path: String
  private let lock: Int32
  private var events: FileHandle?

  /// Creates the directory, or opens an existing one, and takes its lock.
  ///
  /// - Throws: 74 where it cannot be written, 64 where another job holds it for longer than ten seconds: ranks outlive a
  ///   killed `mpirun` by a second or two, so the lock is waited for.
  public init(at path: String) throws {
    self.path = path
    for part in ["", "/checkpoints", "/logs"] {
      do { try FileManager.default.createDirectory(atPath: path + part, withIntermediateDirectories: true) } catch {
        throw Self.cannotWrite(path, error)
      }
    }
    lock = open(path + "/.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard lock >= 0 else {
      throw TrainingError(
        .cannotWrite, "--run-dir \(path): cannot be written (\(String(cString: strerror(errno)))); give another.")
    }
    let deadline = Date().addingTimeInterval(10)
    while flock(lock, LOCK_EX | LOCK_NB) != 0 {
      guard Date() < deadline else {
        close(lock)
        throw TrainingError(
          .badConfiguration,
          "--run-dir \(path): another job is using it; wait for it to end, or give another directory.")
      }
      usleep(100_000)
    }
  }

  deinit { close(lock) }

  public func file(_ name: String) -> String { path + "/" + name }

  public func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

  public func text(_ name: String) -> String? { try? String(contentsOfFile: file(name), encoding: .utf8) }

  /// Writes a whole file, which appears complete or not at all.
  public func write(_ text: String, to name: String) throws {
    try classifying { try AtomicFile.write(Array(text.utf8), to: file(name)) }
  }

  /// Appends an object to `events.jsonl`.
  public func append(event: some Encodable) throws {
    let path = file("events.jsonl")
    do {
      if events == nil {
        if !FileManager.default.fileExists(atPath: path) {
          guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw TrainingError(.cannotWrite, "\(path): cannot be created; check the permissions and the free space.")
          }
        }
        events = FileHandle(forWritingAtPath: path)
        try events?.seekToEnd()
      }
      try events?.write(contentsOf: Self.json(event) + Data("\n".utf8))
    } catch let error as TrainingError { throw error } catch { throw Self.cannotWrite(path, error) }
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

  private static func cannotWrite(_ path: String, _ error: any Error) -> TrainingError {
    let system = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
    return TrainingError(
      .cannotWrite,
      "\(path): cannot be written (\(system.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32(system.code))) : "\(system.localizedDescription)")); "
        + "give another directory with --run-dir, or free space.")
  }
}
