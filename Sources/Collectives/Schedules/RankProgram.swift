/// What one rank does to all-reduce one bucket.
public struct RankProgram: Hashable, Sendable {
  public let rank: Int
  /// Sums made before the first round.
  public var start: [LocalSum] = []
  /// Rounds of the reduce-scatter; on ranks that have nothing to do in a round it is empty.
  public var reduceScatter: [Round] = []
  /// Rounds of the all-gather, which add nothing.
  public var allGather: [Round] = []
  /// The elements whose finished sum lies in the result buffer between the halves, in ascending order.
  public var owned: [Range<Int>] = []
  /// Buffers of the bucket's size that the program needs, the result among them.
  public var buffers = 1
}

/// A step of a program: its messages are under way together.
///
/// No message of a round overlaps another that writes.
public struct Round: Hashable, Sendable {
  public var sends: [Send] = []
  public var receives: [Receive] = []
  /// Sums made while the messages are under way; they touch nothing that those write, and write nothing that those read.
  public var meanwhile: [LocalSum] = []
  /// Sums made when all messages have ended.
  public var sums: [LocalSum] = []
}

/// Where numbers of a rank lie.
public enum Operand: Hashable, Sendable {
  /// The gradient of a shard that the rank hosts.
  case contribution(shard: Int)
  /// A buffer of the rank; 0 is the result.
  case buffer(Int)
}

/// A message to another rank.
public struct Send: Hashable, Sendable {
  public let operand: Operand
  public let elements: Range<Int>
  public let destination: Int
}

/// A message from another rank.
public struct Receive: Hashable, Sendable {
  public let buffer: Int
  public let elements: Range<Int>
  public let source: Int
}

/// Some elements of a buffer become a sum of operands of the same rank.
public struct LocalSum: Hashable, Sendable {
  /// In postfix order, as in `SumExpression`.
  public enum Term: Hashable, Sendable {
    case operand(Operand)
    case plus
  }

  public var elements: Range<Int>
  public let terms: [Term]
  /// May be one of the operands.
  public let buffer: Int
}
