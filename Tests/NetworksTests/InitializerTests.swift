import Determinism
import Foundation
import Networks
import Testing

/// Start values: their distributions, and that each element depends on seed, name and its own index alone.
@Suite struct InitializerTests {
  static let all: [Initializer] = [.zeros, .ones, .normal(deviation: 0.5), .uniform(bound: 0.25)]

  @Test(arguments: all) func anElementDependsOnItsIndexAlone(_ initializer: Initializer) {
    let all = initializer.values(count: 100, seed: 7, name: "fc.weight")
    for count in 0...100 {
      #expect(initializer.values(count: count, seed: 7, name: "fc.weight") == Array(all[..<count]))
    }
  }

  @Test func seedsAndNamesGiveOtherValues() {
    for initializer in [Initializer.normal(deviation: 1), .uniform(bound: 1)] {
      let values = [(1, "a"), (2, "a"), (1, "b")].map {
        initializer.values(count: 64, seed: UInt64($0.0), name: $0.1)
      }
      for (first, second) in [(0, 1), (0, 2), (1, 2)] {
        #expect(zip(values[first], values[second]).allSatisfy { $0 != $1 })
      }
    }
  }

  @Test func constants() {
    #expect(Initializer.zeros.values(count: 3, seed: 1, name: "x") == [0, 0, 0])
    #expect(Initializer.ones.values(count: 3, seed: 1, name: "x") == [1, 1, 1])
  }

  /// Moments of a million numbers, within five standard errors, and the distribution function within that of
  /// Kolmogorov and Smirnov at 10⁻⁶.
  @Test func normalIsNormal() {
    let count = 1_000_000
    let values = Initializer.normal(deviation: 2).values(count: count, seed: 3, name: "conv.weight").map {
      Double($0) / 2
    }
    func moment(_ power: Int) -> Double { values.reduce(0) { $0 + pow($1, Double(power)) } / Double(count) }
    let error = 5 / Double(count).squareRoot()
    #expect(abs(moment(1)) < error)
    #expect(abs(moment(2) - 1) < error * 2.0.squareRoot())
    #expect(abs(moment(3)) < error * 15.0.squareRoot())
    #expect(abs(moment(4) - 3) < error * 96.0.squareRoot())
    let distance = largestDistance(values) { 0.5 * erfc(-$0 / 2.0.squareRoot()) }
    #expect(distance < 2.7 / Double(count).squareRoot())
    // Neighbours come from one block of the generator in pairs: they must not go together.
    let products = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / Double(count)
    #expect(abs(products) < error)
  }

  @Test func uniformIsUniform() {
    let count = 1_000_000
    let values = Initializer.uniform(bound: 0.5).values(count: count, seed: 3, name: "fc.weight").map(Double.init)
    #expect(values.allSatisfy { $0 >= -0.5 && $0 < 0.5 })
    #expect(largestDistance(values) { $0 + 0.5 } < 2.7 / Double(count).squareRoot())
  }

  /// The largest difference between the empirical distribution function and a continuous one.
  private func largestDistance(_ values: [Double], _ distribution: (Double) -> Double) -> Double {
    let step = 1 / Double(values.count)
    return values.sorted().enumerated().reduce(0) { largest, pair in
      let expected = distribution(pair.element)
      let empirical = Double(pair.offset) * step
      return max(largest, abs(expected - empirical), abs(expected - empirical - step))
    }
  }

  @Test func deviationsFollowTheFan() {
    #expect(Initializer.heNormal(fan: 200) == .normal(deviation: 0.1))
    #expect(Initializer.fanInUniform(fan: 16) == .uniform(bound: 0.25))
  }
}
