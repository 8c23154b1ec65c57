import Determinism
import Foundation

/// Which ranks are slow, and how slow: a function of (seed, rank).
public enum Stragglers: Hashable, Sendable {
  /// Each rank is slow with this probability, and then takes so many times as long.
  case fraction(Double, factor: Double)
  /// The logarithm of each rank's factor is normal with mean 0 and this standard deviation; half of the ranks are faster than
  /// usual.
  case logNormal(sigma: Double)

  /// How many times as long each rank takes.
  public func slowness(ranks: Int, seed: UInt64) -> [Double] {
    let stream = RandomStream(seed: seed, purpose: "stragglers")
    return (0..<ranks).map { rank in
      switch self {
      case .fraction(let share, let factor):
        return Double(stream.uniform(rank)) < share ? factor : 1
      case .logNormal(let sigma):
        // Box and Muller; 1 − u is never 0.
        let radius = (-2 * log(1 - Double(stream.uniform(2 * rank)))).squareRoot()
        return exp(sigma * radius * cos(2 * .pi * Double(stream.uniform(2 * rank + 1))))
      }
    }
  }
}
