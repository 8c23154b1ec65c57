import Engine
import MPI

/// A worker's lines to all other workers: it asks for their parameters, and sends and receives *parcels*: a `Request` with the
/// sender's step and weight, and its parameters behind it.
///
/// Nothing waits here. What is sent is copied before, into one of a few places; one parcel is received at a time, others wait with
/// their senders.
final class PeerLine {
  /// Something that has come.
  enum Arrival {
    case question(from: Int)
    /// Its parameters are in `arrived` until the next call.
    case parcel(step: Int, weight: Float)
  }

  /// A copy on its way.
  private final class Parcel {
    let copy: FloatBuffer
    let request: UnsafeMutablePointer<Double>
    var sends = RequestPool(capacity: 2)

    init(count: Int) throws {
      copy = try FloatBuffer(count: count)
      request = .allocate(capacity: Request.count)
      request.initialize(repeating: 0, count: Request.count)
    }

    deinit { request.deallocate() }
  }

  /// Where a parcel's parameters arrive.
  let arrived: FloatBuffer
  private let world: Communicator
  private let parcels: [Parcel]
  private var questions = RequestPool(capacity: 1)
  private var receives = RequestPool(capacity: 1)
  /// Of the question under way, and of the parcel that is received.
  private let question: UnsafeMutablePointer<Double>
  private let head: UnsafeMutablePointer<Double>
  private var receiving: Arrival?
  private var sentBytes = 0

  /// - Parameter count: elements of a vector.
  init(_ world: Communicator, count: Int) throws {
    self.world = world
    arrived = try FloatBuffer(count: count, skew: 2176)
    parcels = try (0..<2).map { _ in try Parcel(count: count) }
    question = .allocate(capacity: Request.count)
    question.initialize(repeating: 0, count: Request.count)
    head = .allocate(capacity: Request.count)
    head.initialize(repeating: 0, count: Request.count)
  }

  deinit {
    question.deallocate()
    head.deallocate()
  }

  /// Asks a worker for a parcel.
  func ask(_ worker: Int) throws {
    // The one before was answered.
    try questions.waitAll()
    var request = Request()
    request.fetches = true
    request.write(to: question)
    try questions.send(UnsafePointer(question), count: Request.count, to: worker, tag: ServerTag.request, on: world)
  }

  /// Sends a copy of parameters.
  ///
  /// - Returns: false where all places are taken: then nothing was done.
  func send(_ parameters: FloatBuffer, step: Int, weight: Float, to worker: Int) throws -> Bool {
    guard let parcel = try parcels.first(where: { try $0.sends.testAll() }) else { return false }
    parcel.copy.assign(from: parameters)
    var request = Request()
    (request.pushes, request.step, request.weight) = (true, step, Double(weight))
    request.write(to: parcel.request)
    try parcel.sends.send(
      UnsafePointer(parcel.request), count: Request.count, to: worker, tag: ServerTag.request, on: world)
    try parcel.sends.sendUntilTaken(
      UnsafePointer(parcel.copy.pointer), count: parcel.copy.count, to: worker, tag: ServerTag.pushed, on: world)
    sentBytes += 4 * parcel.copy.count
    return true
  }

  /// What has come next, if anything has.
  func next() throws -> Arrival? {
    if let parcel = receiving {
      guard try receives.testAll() else { return nil }
      receiving = nil
      return parcel
    }
    guard let worker = try world.senderOfNext(tag: ServerTag.request) else { return nil }
    try world.receive(
      into: UnsafeMutableBufferPointer(start: head, count: Request.count), from: worker, tag: ServerTag.request)
    let request = Request(UnsafePointer(head))
    guard request.pushes else { return .question(from: worker) }
    try receives.receive(arrived.pointer, count: arrived.count, from: worker, tag: ServerTag.pushed, on: world)
    receiving = .parcel(step: request.step, weight: Float(request.weight))
    return try next()
  }

  /// Whether all that was sent is in the hands of those it was sent to.
  func hasSent() throws -> Bool { try parcels.allSatisfy { try $0.sends.testAll() } }

  /// Whether a parcel is being received.
  var isReceiving: Bool { receiving != nil }

  /// Bytes sent in parcels since this was asked last.
  func takeSentBytes() -> Int {
    defer { sentBytes = 0 }
    return sentBytes
  }
}
