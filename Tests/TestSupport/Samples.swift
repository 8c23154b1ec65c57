import Determinism

/// Contributions of all shards with magnitudes from 2⁻²⁰ to 2²⁰ and both signs, so that the order of a sum shows in its
/// bits.
public func contributions(shards: Int, elements: Int, seed: UInt64 = 1) -> [[Float]] {
  let stream = RandomStream(seed: seed, purpose: "contributions")
  return (0..<shards).map { shard in
    (0..<elements).map { element in
      let words = stream.words(block: UInt32(element), sample: UInt32(shard))
      let mantissa = Float(words.x >> 8) * 0x1p-24 + 1
      let magnitude = Float(sign: .plus, exponent: Int(words.y % 41) - 20, significand: mantissa)
      return words.z & 1 == 0 ? magnitude : -magnitude
    }
  }
}

/// Whether two arrays have the same bits.
public func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

/// The primes up to a bound.
public func primes(upTo bound: Int) -> [Int] {
  (2...bound).filter { n in !(2..<n).contains { $0 * $0 <= n && n % $0 == 0 } }
}
