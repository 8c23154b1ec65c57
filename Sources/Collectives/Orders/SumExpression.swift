/// A sum over shards with its parentheses, which fix its bits.
///
/// The terms stand in postfix order: `0 1 + 2 +` is (s₀ + s₁) + s₂. Which of two operands of a plus comes first makes no
/// difference to the bits.
public struct SumExpression: Hashable, Sendable {
  public enum Term: Hashable, Sendable {
    case shard(Int)
    case plus
  }

  public let terms: [Term]

  private init(_ terms: [Term]) { self.terms = terms }

  public static func shard(_ index: Int) -> SumExpression { SumExpression([.shard(index)]) }

  public static func + (left: SumExpression, right: SumExpression) -> SumExpression {
    SumExpression(left.terms + right.terms + [.plus])
  }

  /// ((first + second) + third) + …
  public init(leftToRight parts: some Sequence<SumExpression>) {
    var terms: [Term] = []
    for part in parts { terms += terms.isEmpty ? part.terms : part.terms + [.plus] }
    precondition(!terms.isEmpty, "a sum of nothing")
    self.terms = terms
  }

  /// The sum of one value of each shard.
  public func evaluate(_ values: (Int) -> Float) -> Float {
    var sums: [Float] = []
    for term in terms {
      switch term {
      case .shard(let shard): sums.append(values(shard))
      case .plus:
        let right = sums.removeLast()
        sums[sums.count - 1] += right
      }
    }
    return sums[0]
  }
}
