/// What all ranks do in one round: the unit of a simulation.
///
/// A rank's sends and receives of a round begin together; it goes on to its next round when all have ended and its sums are
/// made, as `BucketReduction` does.
public struct SimulatedRound: Hashable, Sendable {
  /// All that one rank sends another in a round.
  public struct Transfer: Hashable, Sendable {
    public var source: Int
    public var destination: Int
    public var elements: Int
    /// Messages, of which an all-reduce sends several where the elements do not neighbour.
    public var messages: Int

    public init(_ source: Int, _ destination: Int, elements: Int, messages: Int = 1) {
      (self.source, self.destination, self.elements, self.messages) = (source, destination, elements, messages)
    }
  }

  /// Additions of one element that a rank makes.
  public struct Sum: Hashable, Sendable {
    public var rank: Int
    public var additions: Int

    public init(_ rank: Int, _ additions: Int) { (self.rank, self.additions) = (rank, additions) }
  }

  public var transfers: [Transfer] = []
  /// Sums that are made while messages are under way.
  public var meanwhile: [Sum] = []
  /// Sums that follow the messages.
  public var sums: [Sum] = []

  public init() {}

  mutating func removeAll() {
    transfers.removeAll(keepingCapacity: true)
    meanwhile.removeAll(keepingCapacity: true)
    sums.removeAll(keepingCapacity: true)
  }

  mutating func send(_ source: Int, _ destination: Int, _ elements: Int, messages: Int = 1) {
    if elements > 0 { transfers.append(Transfer(source, destination, elements: elements, messages: messages)) }
  }

  mutating func add(_ rank: Int, _ additions: Int) {
    if additions > 0 { sums.append(Sum(rank, additions)) }
  }

  mutating func addMeanwhile(_ rank: Int, _ additions: Int) {
    if additions > 0 { meanwhile.append(Sum(rank, additions)) }
  }
}

/// An all-reduce as a sequence of rounds of all ranks, reducing half first.
public protocol RoundSequence: Sendable {
  var ranks: Int { get }
  /// Rounds of both halves.
  var rounds: Int { get }
  /// Puts what happens in a round into an empty value.
  func fill(_ round: Int, into value: inout SimulatedRound)
}

extension RoundSequence {
  /// The rounds as a list, for explanations and tests.
  public func allRounds() -> [SimulatedRound] {
    (0..<rounds).map { round in
      var value = SimulatedRound()
      fill(round, into: &value)
      return value
    }
  }
}
