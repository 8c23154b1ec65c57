import Determinism
import Foundation

/// How a parameter starts: a function of (seed, its name, the logical index of an element).
public enum Initializer: Sendable, Hashable {
  case zeros
  case ones
  /// Normal with mean 0 and the given standard deviation.
  case normal(deviation: Float)
  /// Uniform in −bound ..< bound.
  case uniform(bound: Float)

  /// Normal with deviation √(2/fan): He et al., "Delving deep into rectifiers", 2015, equation 10.
  public static func heNormal(fan: Int) -> Initializer {
    .normal(deviation: Float((2.0 / Double(max(fan, 1))).squareRoot()))
  }

  /// Uniform in ±1/√fan: what PyTorch gives its convolutions and linear layers.
  public static func fanInUniform(fan: Int) -> Initializer {
    .uniform(bound: Float(1 / Double(max(fan, 1)).squareRoot()))
  }

  /// The start values of a parameter in the standard layout.
  ///
  /// Each element depends on its own index only, so any slice can be made anywhere. `log`, `cos` and `sin` are the C
  /// library's in double precision, which is why its version is part of a run's fingerprint.
  public func values(count: Int, seed: UInt64, name: String) -> [Float] {
    let stream = RandomStream(seed: seed, purpose: "initialise/" + name)
    switch self {
    case .zeros: return [Float](repeating: 0, count: count)
    case .ones: return [Float](repeating: 1, count: count)
    case .uniform(let bound): return (0..<count).map { (stream.uniform($0) * 2 - 1) * bound }
    case .normal(let deviation):
      return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        // Box and Muller, 1958: a block of four words makes two pairs of independent normals.
        for block in 0..<((count + 3) / 4) {
          let words = stream.words(block: UInt32(block))
          for pair in 0..<2 {
            // In (0, 1], so that the logarithm is finite.
            let u = (Double(words[2 * pair]) + 1) * 0x1p-32
            let angle = Double(words[2 * pair + 1]) * 0x1p-32 * 2 * Double.pi
            let radius = (-2 * log(u)).squareRoot() * Double(deviation)
            let index = 4 * block + 2 * pair
            if index < count { buffer[index] = Float(radius * cos(angle)) }
            if index + 1 < count { buffer[index + 1] = Float(radius * sin(angle)) }
          }
        }
        initialized = count
      }
    }
  }
}
