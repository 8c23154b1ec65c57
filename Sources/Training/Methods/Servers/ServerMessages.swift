/// The messages between workers and servers. A worker sends a `Request` to a server, and behind it the vector that it pushes,
/// where it does: a gradient, or its parameters. The server answers with a `Reply` where it was asked for anything, and behind it
/// the vector that is fetched. Both are short rows of numbers.
enum ServerTag {
  static let request = 1
  static let pushed = 2
  static let reply = 3
  static let fetched = 4
}

/// What a worker wants of a server.
struct Request {
  /// A vector follows.
  var pushes = false
  /// The server's part of the parameters, or of what becomes of a meeting with them, is to be sent.
  var fetches = false
  /// Of the first server: what is to be done next.
  var wantsTicket = false
  /// The worker's last word in a segment.
  var isLast = false
  /// It is to be answered when all workers have said theirs.
  var waitsForAll = false
  /// The worker was asked to stop: the segment is to end after the batch at hand.
  var wantsToEnd = false
  /// The server's clock when it sent the parameters that the gradient was computed at, or the first of several.
  var clock = 0
  /// The global step that the gradient belongs to.
  var step = 0
  /// The gradient's part of a global batch.
  var weight = 0.0
  /// That it was computed of.
  var samples = 0
  /// The learning rate for the whole batch × the weight.
  var rate = 0.0

  static let count = 11

  init() {}

  /// Whether the server answers.
  var isAnswered: Bool { wantsTicket || fetches || waitsForAll }

  init(_ numbers: UnsafePointer<Double>) {
    (pushes, fetches, wantsTicket) = (numbers[0] != 0, numbers[1] != 0, numbers[2] != 0)
    (isLast, wantsToEnd) = (numbers[3] != 0, numbers[4] != 0)
    (clock, step, weight, rate) = (Int(numbers[5]), Int(numbers[6]), numbers[7], numbers[8])
    (waitsForAll, samples) = (numbers[9] != 0, Int(numbers[10]))
  }

  func write(to numbers: UnsafeMutablePointer<Double>) {
    for (index, flag) in [pushes, fetches, wantsTicket, isLast, wantsToEnd].enumerated() {
      numbers[index] = flag ? 1 : 0
    }
    (numbers[5], numbers[6], numbers[7], numbers[8]) = (Double(clock), Double(step), weight, rate)
    (numbers[9], numbers[10]) = (waitsForAll ? 1 : 0, Double(samples))
  }
}

/// What a server answers.
struct Reply {
  /// Updates that the server has made.
  var clock = 0
  /// Nil where the segment has nothing more to do.
  var ticket: Int?

  static let count = 2

  init(clock: Int, ticket: Int?) { (self.clock, self.ticket) = (clock, ticket) }

  init(_ numbers: UnsafePointer<Double>) {
    self.init(clock: Int(numbers[0]), ticket: numbers[1] < 0 ? nil : Int(numbers[1]))
  }

  func write(to numbers: UnsafeMutablePointer<Double>) {
    (numbers[0], numbers[1]) = (Double(clock), Double(ticket ?? -1))
  }
}
