import Dispatch
import Foundation
import TensorFiles

/// Writes states in a thread of its own while training goes on.
///
/// Between two steps the state is copied into `room`, which is all that training waits for; digests, files and flushing to the
/// disk follow beside it, from `begin` on. One state is written at a time.
final class CheckpointWriter {
  /// How a write ended.
  struct Outcome: Sendable {
    let step: Int
    /// Nil where it failed.
    let checkpoint: Checkpoint?
    let failure: TrainingError?
    /// From its beginning to its end on the disk.
    let seconds: Double
    /// Of those, the time that training waited.
    let waited: Double
  }

  /// What is written beside the checkpoint.
  struct Request: Sendable {
    var manifest: Checkpoint.Manifest
    /// The file that the parameters go to as well, because no evaluation before was better.
    var bestParameters: String?
    /// Checkpoints to keep, and one more of this step.
    var keep: Int
    var bestStep: Int?
  }

  /// Called from the thread again and again while it goes on.
  var goesOn: @Sendable () -> Void = {}
  private let store: CheckpointStore
  private var snapshot: Snapshot?
  private var underWay: (request: Request, begin: Double, waited: Double, end: DispatchGroup)?
  private let result = ResultBox()

  init(_ store: CheckpointStore) { self.store = store }

  /// The step whose state is being written, and since when in seconds; nil if none is.
  var current: (step: Int, seconds: Double)? {
    underWay.map { ($0.request.manifest.step, Self.now - $0.begin) }
  }

  /// Makes room for copies of such a state with the vectors of so many shards, beside what the caller does next: fresh memory
  /// costs the first save several times what the copy does.
  func reserve(for state: TrainingState, shards: Int) { snapshot = Snapshot(of: state, shards: shards) }

  /// Where the state to write goes. Nothing may be under way.
  /// - Throws: 74 where there is no memory for it.
  func room(for state: TrainingState, shards: Int) throws -> TrainingState {
    precondition(underWay == nil, "a state is being written")
    if snapshot == nil { reserve(for: state, shards: shards) }
    let reserved = snapshot
    // Where there was no memory, the next save asks again.
    snapshot = nil
    guard let copy = try reserved?.state() else { preconditionFailure("a snapshot that was not made") }
    snapshot = reserved
    return copy
  }

  /// Starts to write what is in `room`.
  ///
  /// - Parameter waited: seconds in which the caller copied it there.
  func begin(_ state: TrainingState, _ request: Request, waited: Double = 0) {
    precondition(underWay == nil, "a state is being written")
    let end = DispatchGroup()
    end.enter()
    underWay = (request, Self.now - waited, waited, end)
    let work = Work(state: state, store: store, result: result)
    Thread.detachNewThread { [goesOn] in
      // Training has the cores first. Linux takes 0 for the calling thread.
      _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
      work.result.value = Result { try Self.write(work.state, request, to: work.store, goesOn) }
      work.result.end = Self.now
      end.leave()
    }
  }

  private static func write(
    _ state: TrainingState, _ request: Request, to store: CheckpointStore, _ goesOn: () -> Void
  ) throws -> Checkpoint {
    // Before the checkpoint, which says that there was such an evaluation.
    if let file = request.bestParameters { try state.writeParameters(to: file, goesOn: goesOn) }
    let checkpoint = try store.write(state, request.manifest, goesOn: goesOn)
    store.prune(upTo: request.manifest.step, keeping: request.keep, andStep: request.bestStep)
    return checkpoint
  }

  /// The end of what was under way, if it has come since this was asked last.
  func outcome() -> Outcome? { wait(seconds: 0) }

  /// Waits for the end of what is under way, at most so long.
  func wait(seconds: Double = .infinity) -> Outcome? {
    guard let write = underWay else { return nil }
    let begin = Self.now
    let limit = seconds.isFinite ? DispatchTime.now() + seconds : .distantFuture
    let isDone = write.end.wait(timeout: limit) == .success
    let waited = write.waited + (seconds > 0 ? Self.now - begin : 0)
    guard isDone, let value = result.value else {
      underWay?.waited = waited
      return nil
    }
    underWay = nil
    result.value = nil
    let step = write.request.manifest.step
    let seconds = result.end - write.begin
    switch value {
    case .success(let checkpoint):
      return Outcome(step: step, checkpoint: checkpoint, failure: nil, seconds: seconds, waited: waited)
    case .failure(let error):
      return Outcome(step: step, checkpoint: nil, failure: TrainingError(error), seconds: seconds, waited: waited)
    }
  }

  private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }
}

/// The memory of a copy, which a thread of its own makes.
private final class Snapshot: @unchecked Sendable {  // `made` is written before the group is left, and read after.
  private let end = DispatchGroup()
  private var made: Result<TrainingState, any Error>?

  init(of state: TrainingState, shards: Int) {
    /// Only what never changes is read.
    struct Form: @unchecked Sendable { let state: TrainingState }
    let form = Form(state: state)
    end.enter()
    Thread.detachNewThread { [self] in
      made = Result { try classifying { try form.state.blank(shards: shards) } }
      end.leave()
    }
  }

  /// Waits until it is there.
  func state() throws -> TrainingState? {
    end.wait()
    return try made?.get()
  }
}

/// What the thread works with. Nobody else touches the copy meanwhile.
private struct Work: @unchecked Sendable {
  let state: TrainingState
  let store: CheckpointStore
  let result: ResultBox
}

/// What the thread leaves; read when the group says that it has ended.
private final class ResultBox: @unchecked Sendable {
  var value: Result<Checkpoint, any Error>?
  var end = 0.0
}
