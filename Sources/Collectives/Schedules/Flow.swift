/// The way of one part of a bucket through the ranks: all messages and sums, derived from where its route makes them.
///
/// A value is sent as soon as it is there. What a rank adds between two messages is one sum, made just before it is sent on or
/// needed as the result. Every value that arrives, and every sum, takes the lowest buffer that is free, so that finished sums
/// end in buffer 0.
struct Flow {
  struct Message: Hashable {
    var hop: Int
    var source: Int
    var destination: Int
    var operand: Operand
    var buffer: Int
  }

  /// A sum made ahead of the messages of a hop.
  struct Sum: Hashable {
    var hop: Int
    var rank: Int
    var terms: [LocalSum.Term]
    var buffer: Int
  }

  private(set) var messages: [Message] = []
  private(set) var sums: [Sum] = []
  /// The ranks that end with the finished value.
  private(set) var owners: [Int] = []
  /// Messages by which the finished value goes back the way that the partial sums came: to each rank from the one that took
  /// its last one.
  private(set) var gather: [Message] = []

  /// A value that a rank has, as a sum that is not carried out yet.
  private struct Holding {
    var rank: Int
    /// The first hop that it can be sent by.
    var hop: Int
    var terms: [LocalSum.Term]

    /// Whether something in it came from another rank.
    var isReceived: Bool {
      terms.contains { if case .operand(.buffer) = $0 { true } else { false } }
    }
  }

  private let placement: Placement
  private var buffers = Buffers()

  init(_ route: Route, placement: Placement) {
    self.placement = placement
    var values: [[Holding]] = []
    for term in route.terms {
      switch term {
      case .shard(let shard):
        values.append([
          Holding(rank: placement.rank(of: shard), hop: 0, terms: [.operand(.contribution(shard: shard))])
        ])
      case .moved(let shard):
        values[values.count - 1] = bring(&values[values.count - 1], to: [placement.rank(of: shard)])
      case .plus(let shard):
        add(&values, at: [placement.rank(of: shard)])
      case .plusEverywhere:
        let both = values[values.count - 2] + values[values.count - 1]
        add(&values, at: Array(Set(both.map(\.rank))).sorted())
      }
    }
    for holding in values[0] {
      var holding = holding
      finish(&holding)
      owners.append(holding.rank)
    }
    if owners.count == 1 { gather = backwards(from: owners[0]) }
  }

  private func backwards(from owner: Int) -> [Message] {
    var lastSent: [Int: Message] = [:]
    var end = 0
    for message in messages {
      end = max(end, message.hop)
      if message.source != owner, lastSent[message.source].map({ $0.hop <= message.hop }) ?? true {
        lastSent[message.source] = message
      }
    }
    return lastSent.values.map { last in
      Message(
        hop: end - last.hop, source: last.destination, destination: last.source, operand: .buffer(0), buffer: 0)
    }
  }

  /// Puts the sum of the last two values, as made by some ranks, in their place.
  private mutating func add(_ values: inout [[Holding]], at ranks: [Int]) {
    var right = values.removeLast()
    var left = values.removeLast()
    for rank in ranks {
      let (ownLeft, ownRight) = (left.firstIndex { $0.rank == rank }, right.firstIndex { $0.rank == rank })
      // What came before is added before the next comes, so that two buffers do.
      if let ownLeft, ownRight == nil, left[ownLeft].isReceived { carryOut(&left[ownLeft]) }
      if let ownRight, ownLeft == nil, right[ownRight].isReceived { carryOut(&right[ownRight]) }
    }
    let addends = zip(bring(&left, to: ranks), bring(&right, to: ranks))
    values.append(
      addends.map { left, right in
        Holding(rank: left.rank, hop: max(left.hop, right.hop), terms: left.terms + right.terms + [.plus])
      })
  }

  /// A value as each of some ranks has it, sent to those that lack it by those that have it in turn.
  private mutating func bring(_ value: inout [Holding], to ranks: [Int]) -> [Holding] {
    var sources: [Int: Int] = [:]
    for rank in ranks where !value.contains(where: { $0.rank == rank }) { sources[rank] = sources.count % value.count }
    // Before anything is made of them, so that it is made once.
    for source in Set(sources.values).sorted() { carryOut(&value[source]) }
    defer {
      for holding in value where !ranks.contains(holding.rank) {
        for case .operand(.buffer(let buffer)) in holding.terms {
          buffers.free(buffer, on: holding.rank, from: holding.hop)
        }
      }
    }
    return ranks.map { rank in
      guard let index = sources[rank] else { return value.first { $0.rank == rank } ?? value[0] }
      let source = value[index]
      guard case .operand(let operand) = source.terms[0] else { preconditionFailure("a value that is not there") }
      let buffer = buffers.take(on: rank, from: source.hop)
      messages.append(
        Message(hop: source.hop, source: source.rank, destination: rank, operand: operand, buffer: buffer))
      if case .buffer(let sent) = operand { buffers.isRead(sent, on: source.rank, by: source.hop) }
      return Holding(rank: rank, hop: source.hop + 1, terms: [.operand(.buffer(buffer))])
    }
  }

  /// Makes a value one operand: the contribution that it is, or a buffer.
  private mutating func carryOut(_ holding: inout Holding) {
    if holding.terms.count > 1 { carryOut(&holding, into: nil) }
  }

  /// Makes the finished value the result, as soon as nothing else needs that buffer.
  private mutating func finish(_ holding: inout Holding) {
    if holding.terms == [.operand(.buffer(0))] { return }
    holding.hop = max(holding.hop, buffers.end(of: 0, on: holding.rank))
    carryOut(&holding, into: 0)
  }

  private mutating func carryOut(_ holding: inout Holding, into wanted: Int?) {
    for case .operand(.buffer(let buffer)) in holding.terms {
      buffers.free(buffer, on: holding.rank, from: holding.hop)
    }
    let buffer = buffers.take(on: holding.rank, from: holding.hop)
    precondition(wanted == nil || wanted == buffer, "a finished sum in buffer \(buffer)")
    sums.append(Sum(hop: holding.hop, rank: holding.rank, terms: holding.terms, buffer: buffer))
    holding.terms = [.operand(.buffer(buffer))]
  }
}

/// Which buffers of each rank are free when, for the elements of one flow.
private struct Buffers {
  private struct Use {
    /// The first hop that may write it again; nil while its value is needed.
    var freeFrom: Int? = 0
    /// The hop after the last that sends from it.
    var readUntil = 0
  }
  private var uses: [Int: [Use]] = [:]

  /// The lowest buffer that messages of `hop` may write.
  mutating func take(on rank: Int, from hop: Int) -> Int {
    var own = uses[rank] ?? []
    let found = own.firstIndex { $0.freeFrom.map { $0 <= hop } ?? false } ?? own.count
    if found == own.count { own.append(Use()) }
    own[found] = Use(freeFrom: nil)
    uses[rank] = own
    return found
  }

  mutating func isRead(_ buffer: Int, on rank: Int, by hop: Int) {
    guard let until = uses[rank]?[buffer].readUntil else { return }
    uses[rank]?[buffer].readUntil = max(until, hop + 1)
  }

  /// From `hop` on nothing but messages that read it already needs it.
  mutating func free(_ buffer: Int, on rank: Int, from hop: Int) {
    guard let until = uses[rank]?[buffer].readUntil else { return }
    uses[rank]?[buffer].freeFrom = max(hop, until)
  }

  /// The first hop ahead of which nothing needs a buffer's value but sums that are made then.
  func end(of buffer: Int, on rank: Int) -> Int {
    guard let own = uses[rank], buffer < own.count else { return 0 }
    return max(own[buffer].readUntil, own[buffer].freeFrom ?? 0)
  }
}
