/// Consecutive global steps within which the ranks of an asynchronous method are not in step with each other. It ends where
/// the run reports, evaluates, saves or stops; then all ranks are at one step boundary again.
///
/// Its work is divided into tickets: ticket i is part i mod S of global batch ⌊i / S⌋ of the segment.
struct Segment {
  /// Global steps, from 0.
  let steps: Range<Int>
  let shards: Int

  var tickets: Int { steps.count * shards }

  /// Of a ticket.
  func step(of ticket: Int) -> Int { steps.lowerBound + ticket / shards }
  func shard(of ticket: Int) -> Int { ticket % shards }
}

/// What a rank did in a segment.
struct SegmentTally {
  // Of a worker.
  var loss = 0.0
  var correct = 0
  var samples = 0
  var tickets = 0
  /// Of the gradient of its last ticket; not measured where 0.
  var squaredNorm = 0.0
  var wantsToStop = false
  /// Of gradients or parameters.
  var sentBytes = 0
  /// What a server took, or a worker from other workers, and gradients that came too late.
  var pushes = 0
  var dropped = 0
  /// Of the gradients that came too late.
  var droppedSamples = 0
  // Of a server.
  /// Its updates since the job began.
  var clock = 0
  /// Of the first server: global steps that are taken, at least one.
  var steps = 0

  static let count = 12

  init() {}

  init(_ numbers: ArraySlice<Double>) {
    let numbers = Array(numbers)
    (loss, squaredNorm, wantsToStop) = (numbers[0], numbers[1], numbers[2] != 0)
    (correct, samples, tickets) = (Int(numbers[3]), Int(numbers[4]), Int(numbers[5]))
    (clock, pushes, dropped, steps) = (Int(numbers[6]), Int(numbers[7]), Int(numbers[8]), Int(numbers[9]))
    (sentBytes, droppedSamples) = (Int(numbers[10]), Int(numbers[11]))
  }

  var numbers: [Double] {
    [loss, squaredNorm, wantsToStop ? 1 : 0]
      + [correct, samples, tickets, clock, pushes, dropped, steps, sentBytes, droppedSamples].map(Double.init)
  }
}
