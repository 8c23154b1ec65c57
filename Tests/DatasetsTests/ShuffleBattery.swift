/// Two statistics that tell a keyed permutation from a Fisher–Yates shuffle. Both are chi-squared.
enum ShuffleBattery {
  /// Differences of successive values, modulo the count, in 60 buckets: 59 degrees of freedom.
  ///
  /// Neighbours whose samples lie at a preferred distance raise it.
  static func successiveDifferences(_ values: [Int]) -> Double {
    let buckets = 60
    var counts = [Int](repeating: 0, count: buckets)
    for (previous, next) in zip(values, values.dropFirst()) {
      let difference = (next - previous + values.count) % values.count
      counts[difference * buckets / values.count] += 1
    }
    return chiSquared(counts, expected: Double(values.count - 1) / Double(buckets))
  }

  /// How many values of each of 60 equal ranges stand in each of 60 equal stretches: 59² = 3,481 degrees of freedom,
  /// as sums of rows and columns are fixed.
  ///
  /// Clustering raises it, too even a spread lowers it.
  static func blockOccupancy(_ values: [Int]) -> Double {
    let blocks = 60
    var counts = [Int](repeating: 0, count: blocks * blocks)
    for (position, value) in values.enumerated() {
      counts[position * blocks / values.count * blocks + value * blocks / values.count] += 1
    }
    return chiSquared(counts, expected: Double(values.count) / Double(blocks * blocks))
  }

  static func chiSquared(_ counts: [Int], expected: Double) -> Double {
    counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
  }

  /// How many standard deviations the mean of `values`, each chi-squared with `degrees` degrees of freedom, is off.
  static func deviation(ofMean values: [Double], degrees: Double) -> Double {
    let mean = values.reduce(0, +) / Double(values.count)
    return (mean - degrees) / (2 * degrees / Double(values.count)).squareRoot()
  }
}
