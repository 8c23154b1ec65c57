import Engine
import MPI

/// A worker's end of the lines to all servers. One exchange is under way at a time.
final class ServerLine {
  let ranks: ServerRanks
  /// Of each server, when it sent what was fetched last.
  var clocks: [Int]
  private(set) var sentBytes = 0
  private let world: Communicator
  private let requests: UnsafeMutablePointer<Double>
  private let replies: UnsafeMutablePointer<Double>
  private var sends: RequestPool
  private var answers: RequestPool
  private var vectors: RequestPool
  /// What was asked last.
  private var asked = Request()

  init(_ world: Communicator, _ ranks: ServerRanks) {
    (self.world, self.ranks) = (world, ranks)
    clocks = Array(repeating: 0, count: ranks.servers)
    requests = .allocate(capacity: Request.count * ranks.servers)
    requests.initialize(repeating: 0, count: Request.count * ranks.servers)
    replies = .allocate(capacity: Reply.count * ranks.servers)
    replies.initialize(repeating: 0, count: Reply.count * ranks.servers)
    sends = RequestPool(capacity: 2 * ranks.servers)
    answers = RequestPool(capacity: ranks.servers)
    vectors = RequestPool(capacity: ranks.servers)
  }

  deinit {
    requests.deallocate()
    replies.deallocate()
  }

  /// Sends a request to all servers whom it concerns, once all that was sent before is away.
  ///
  /// - Parameters:
  ///   - outgoing: what is pushed. It stays as it is until `hasSent`.
  ///   - origin: of each server, when it sent what that was computed at; nil where it is what was fetched last.
  ///   - incoming: where goes what is fetched. Nobody touches it until `hasFetched`.
  func send(
    _ request: Request, pushing outgoing: FloatBuffer, computedAt origin: [Int]?, fetchingInto incoming: FloatBuffer
  ) throws {
    asked = request
    if request.pushes { sentBytes += 4 * outgoing.count }
    for server in 0..<ranks.servers {
      var request = request
      request.wantsTicket = request.wantsTicket && server == 0
      guard request.pushes || request.fetches || request.wantsTicket || request.isLast else { continue }
      request.clock = (origin ?? clocks)[server]
      let (rank, part) = (ranks.rank(ofServer: server), ranks.parts[server].elements)
      if request.isAnswered {
        try answers.receive(
          replies + Reply.count * server, count: Reply.count, from: rank, tag: ServerTag.reply, on: world)
      }
      if request.fetches {
        try vectors.receive(
          incoming.pointer + part.lowerBound, count: part.count, from: rank, tag: ServerTag.fetched, on: world)
      }
      let place = requests + Request.count * server
      request.write(to: place)
      try sends.send(UnsafePointer(place), count: Request.count, to: rank, tag: ServerTag.request, on: world)
      if request.pushes {
        try sends.send(
          UnsafePointer(outgoing.pointer + part.lowerBound), count: part.count, to: rank, tag: ServerTag.pushed,
          on: world)
      }
    }
  }

  /// Whether all that was sent may be overwritten.
  func hasSent() throws -> Bool { try sends.testAll() }

  /// Whether servers have said what they say, but for vectors.
  func hasAnswers() throws -> Bool { try answers.testAll() }

  /// Whether vectors are there that were asked for.
  func hasFetched() throws -> Bool { try vectors.testAll() }

  /// Takes the answers that are there.
  /// - Returns: the next ticket; nil where there is none, or none was asked for.
  func takeAnswers() -> Int? {
    if asked.fetches {
      for server in 0..<ranks.servers { clocks[server] = Reply(replies + Reply.count * server).clock }
    }
    return asked.wantsTicket ? Reply(replies).ticket : nil
  }

  /// Bytes pushed since this was asked last.
  func takeSentBytes() -> Int {
    defer { sentBytes = 0 }
    return sentBytes
  }
}
