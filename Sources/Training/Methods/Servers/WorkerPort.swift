import Engine
import MPI

/// A server's end of the line to one worker, with buffers of its own, so that no worker waits for another's message.
final class WorkerPort {
  let worker: Int
  /// Where what the worker pushes arrives: the server's part, from its first element on.
  let pushed: FloatBuffer
  /// What it fetched last: the server's part of the parameters as the worker has it, or an elastic difference.
  let answer: FloatBuffer
  /// What it asked for last.
  private(set) var request = Request()
  private let numbers = UnsafeMutablePointer<Double>.allocate(capacity: Request.count + Reply.count)
  private let world: Communicator
  private var receives = RequestPool(capacity: 1)
  private var sends = RequestPool(capacity: 2)

  /// - Parameter count: elements of the server's part.
  init(_ world: Communicator, worker: Int, count: Int) throws {
    (self.world, self.worker) = (world, worker)
    pushed = try FloatBuffer(count: count)
    answer = try FloatBuffer(count: count, skew: 1088)
    numbers.initialize(repeating: 0, count: Request.count + Reply.count)
  }

  deinit { numbers.deallocate() }

  var isReceiving: Bool { receives.count > 0 }

  /// Takes a request that has come, and begins to receive the vector behind it.
  func takeRequest() throws {
    try world.receive(
      into: UnsafeMutableBufferPointer(start: numbers, count: Request.count), from: worker, tag: ServerTag.request)
    request = Request(numbers)
    if request.pushes {
      try receives.receive(pushed.pointer, count: pushed.count, from: worker, tag: ServerTag.pushed, on: world)
    }
  }

  /// Whether the vector is there.
  func hasReceived() throws -> Bool { try receives.testAll() }

  /// Waits for the vector.
  func finishReceiving() throws { try receives.waitAll() }

  /// - Parameter fill: puts what the worker fetches in its place, where it asked for it.
  func send(_ reply: Reply, _ fill: (_ answer: FloatBuffer) -> Void) throws {
    // What was sent before has arrived, or the worker would not have asked again.
    try sends.waitAll()
    let place = numbers + Request.count
    reply.write(to: place)
    try sends.send(UnsafePointer(place), count: Reply.count, to: worker, tag: ServerTag.reply, on: world)
    guard request.fetches else { return }
    fill(answer)
    try sends.send(UnsafePointer(answer.pointer), count: answer.count, to: worker, tag: ServerTag.fetched, on: world)
  }

  /// Returns when all that was sent may be overwritten.
  func finishSending() throws { try sends.waitAll() }
}
