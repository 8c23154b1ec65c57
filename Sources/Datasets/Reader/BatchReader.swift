/// Batches for the shards that one rank hosts, read and converted ahead of the trainer by threads of its own.
///
/// A ring of preallocated buffers bounds how far ahead: the trainer uses one, the others are being filled or ready.
/// Each batch is filled by one thread; batches come out in strict order, epoch after epoch without end, and reading
/// goes on across the border of an epoch. What is in a batch depends on neither threads nor ring.
public final class BatchReader {
  private let filler: BatchFiller
  private let ring: Monitor<Ring>
  private let buffers: [BatchBuffer]
  private let threads: [WorkerThread]
  /// Batches before the first one read, from the start of the run.
  private let start: Int
  /// Batches handed out.
  private var taken = 0

  /// Time that `next()` has spent waiting for data since the reader was made.
  public private(set) var waited: Duration = .zero

  /// Starts reading at `step` of `epoch`.
  ///
  /// - Parameters:
  ///   - source: the samples; `plan` is over as many.
  ///   - shards: those hosted here, of `shardCount` in the run.
  ///   - threads: how many batches are filled side by side.
  ///   - depth: buffers of the ring, the one in the trainer's hands included; at least 2 to read ahead at all.
  ///
  /// Throws `DataError` if no thread can be started, or if an epoch has no step.
  public init(
    source: any ImageSource, plan: EpochPlan, normalisation: Normalisation, augmentation: Augmentation = .none,
    shards: Range<Int>, of shardCount: Int, epoch: Int = 0, step: Int = 0, threads threadCount: Int = 1, depth: Int = 3
  ) throws {
    precondition(plan.sampleCount == source.count, "a plan over \(plan.sampleCount) of \(source.count) samples")
    precondition(shards.lowerBound >= 0 && shards.upperBound <= shardCount, "shards \(shards) of \(shardCount)")
    precondition(normalisation.mean.count == source.shape.channels)
    precondition(threadCount >= 1 && depth >= 1 && epoch >= 0 && step >= 0)
    guard plan.stepsPerEpoch > 0 else {
      throw DataError(
        "\(plan.sampleCount) samples do not fill a global batch of \(plan.globalBatchSize): lower --batch-size.")
    }
    let filler = BatchFiller(
      source: source, plan: plan, normalisation: normalisation, augmentation: augmentation, shards: shards,
      shardCount: shardCount)
    let capacity = plan.shardBatchSizes(of: shardCount).first ?? 0
    let buffers = (0..<depth).map { _ in BatchBuffer(shards: shards, capacity: capacity, shape: source.shape) }
    let ring = Monitor(Ring(depth: depth))
    let start = epoch * plan.stepsPerEpoch + step
    self.filler = filler
    self.buffers = buffers
    self.ring = ring
    self.start = start

    var threads: [WorkerThread] = []
    do {
      for _ in 0..<threadCount {
        threads.append(try WorkerThread { Self.work(filler, ring: ring, buffers: buffers, start: start) })
      }
    } catch {
      ring.update { $0.isStopped = true }
      for thread in threads { thread.join() }
      throw error
    }
    self.threads = threads
  }

  deinit {
    ring.update { $0.isStopped = true }
    for thread in threads { thread.join() }
  }

  /// The next batch; waits until it is there. The one before is given back and must not be used any more.
  ///
  /// Throws what the source threw when it read this batch, again at every later call.
  public func next() throws -> GlobalBatch {
    let ticket = taken
    let slot = ticket % buffers.count
    let isReady: (Ring) -> Bool = { $0.states[slot] == .filled(ticket) || $0.failure?.ticket == ticket }
    let wasReady = ring.update { ring in
      ring.returned = ticket
      return isReady(ring)
    }
    let failure: (any Error)?
    if wasReady {
      failure = ring.update { $0.failure(of: ticket) }
    } else {
      let clock = ContinuousClock()
      let begin = clock.now
      failure = ring.update(when: isReady) { $0.failure(of: ticket) }
      waited += clock.now - begin
    }
    if let failure { throw failure }
    taken += 1
    let (epoch, step) = filler.plan.position(globalStep: start + ticket)
    return GlobalBatch(
      epoch: epoch, step: step, sampleCount: filler.plan.positions(step: step).count, shards: buffers[slot].shards)
  }

  /// What a thread does until the reader goes: takes the next ticket, fills that batch, says so.
  private static func work(_ filler: BatchFiller, ring: Monitor<Ring>, buffers: [BatchBuffer], start: Int) {
    var scratch = BatchFiller.Scratch(shape: filler.source.shape)
    while true {
      let ticket: Int? = ring.update(when: { $0.isStopped || $0.hasFreeBuffer }) { ring in
        if ring.isStopped || ring.failure != nil { return nil }
        defer { ring.issued += 1 }
        return ring.issued
      }
      guard let ticket else { return }
      let slot = ticket % buffers.count
      let (epoch, step) = filler.plan.position(globalStep: start + ticket)
      do {
        try filler.fill(buffers[slot], epoch: epoch, step: step, scratch: &scratch)
        ring.update { $0.states[slot] = .filled(ticket) }
      } catch {
        ring.update { $0.fail(ticket, error) }
        return
      }
    }
  }
}

/// The ring's state. Batches are numbered by tickets from 0; ticket t uses buffer t mod depth.
private struct Ring: Sendable {
  enum State: Equatable, Sendable {
    case empty
    case filled(Int)
  }

  var states: [State]
  /// Tickets given to threads.
  var issued = 0
  /// Tickets whose buffers the trainer has given back.
  var returned = 0
  /// The first batch that could not be read.
  var failure: (ticket: Int, error: any Error)?
  var isStopped = false

  init(depth: Int) { states = Array(repeating: .empty, count: depth) }

  var hasFreeBuffer: Bool { issued < returned + states.count }

  func failure(of ticket: Int) -> (any Error)? { failure?.ticket == ticket ? failure?.error : nil }

  /// Keeps the failure of the lowest ticket, since batches before it are still delivered.
  mutating func fail(_ ticket: Int, _ error: any Error) {
    if failure.map({ ticket < $0.ticket }) ?? true { failure = (ticket, error) }
  }
}
