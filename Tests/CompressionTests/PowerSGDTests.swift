import Compression
import Determinism
import Testing

@Suite struct PowerSGDTests {
  /// A sum of so many products of vectors.
  private func lowRank(_ rank: Int, _ rows: Int, _ columns: Int, step: Int = 0, shard: Int = 0) -> [Float] {
    let a = gradients(rank * rows, "left \(shard)", step: step),
      b = gradients(rank * columns, "right \(shard)", step: step)
    return (0..<rows * columns).map { index in
      (0..<rank).reduce(Float(0)) { $0 + a[$1 * rows + index / columns] * b[$1 * columns + index % columns] }
    }
  }

  private func norm(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }

  private func difference(_ a: [Float], _ b: [Float]) -> Double { norm(zip(a, b).map { $0 - $1 }) }

  @Test func aGradientOfTheRankComesThroughWhole() {
    let tensor = matrix(40, 70)
    for rank in 1...4 {
      for actual in 1...rank {
        var sum = InProcessSum(.powerSGD(rank: rank), [tensor], shards: 1)
        // The first step depends on how the drawn vectors lie; from then on Q spans the rows.
        let gradient = lowRank(actual, 40, 70)
        for (step, bound) in [1e-4, 1e-4, 1e-6].enumerated() {
          let sent = sum.sum([gradient], step: step)
          #expect(difference(sent, gradient) < bound * norm(gradient), "rank \(actual) by \(rank), step \(step)")
        }
      }
    }
  }

  /// The shards' gradients need not be of low rank, if their sum is.
  @Test func onlyTheSumMatters() {
    let tensor = matrix(30, 50)
    var sum = InProcessSum(.powerSGD(rank: 2), [tensor], shards: 3)
    let noise = gradients(1500, "noise"), low = lowRank(2, 30, 50)
    let contributions = [zip(low, noise).map { $0 + $1 }, noise.map { -3 * $0 }, noise.map { 2 * $0 }]
    let sent = sum.sum(contributions, step: 0)
    #expect(difference(sent, low) < 1e-4 * norm(noise))
  }

  @Test func whatIsSentAndLeftIsWhatThereWas() {
    let tensor = matrix(30, 50)
    for shards in 1...4 {
      var sum = InProcessSum(.powerSGD(rank: 2), [tensor], shards: shards)
      var old = [Double](repeating: 0, count: 1500)
      for step in 0..<6 {
        let contributions = (0..<shards).map { gradients(1500, "shard \($0)", step: step) }
        let sent = sum.sum(contributions, step: step)
        let left = (0..<1500).map { index in sum.slots.reduce(0.0) { $0 + Double($1[0][index]) } }
        for index in 0..<1500 {
          let whole = contributions.reduce(old[index]) { $0 + Double($1[index]) }
          #expect(abs(Double(sent[index]) + left[index] - whole) < 1e-5)
        }
        old = left
      }
    }
  }

  /// Warm start: over steps of one matrix the factors approach its largest singular vectors, so that less is left than of the
  /// first, and no better approximation of the rank exists than the one it tends to.
  @Test func theWarmStartImproves() {
    let tensor = matrix(60, 60)
    let gradient = gradients(3600, "g")
    var sum = InProcessSum(.powerSGD(rank: 3), [tensor], shards: 1)
    var errors: [Double] = []
    for step in 0..<30 {
      // Without feedback only the start is kept.
      var fresh = sum
      let sent = fresh.sum([zip(gradient, sum.slots[0][0]).map { $0 - $1 }], step: step)
      errors.append(difference(sent, gradient))
      sum = fresh
    }
    #expect(errors[29] < 0.99 * errors[0], "\(errors)")
    #expect(zip(errors, errors.dropFirst()).allSatisfy { $1 <= $0 * 1.0001 })
  }

  /// A step without gradient must not end the method for ever, and a matrix of lower rank leaves columns to draw anew.
  @Test func columnsThatVanishAreDrawnAnew() {
    let tensor = matrix(40, 70)
    var sum = InProcessSum(.powerSGD(rank: 3), [tensor], shards: 2)
    let zeros = [Float](repeating: 0, count: 2800)
    #expect(sum.sum([zeros, zeros], step: 0) == zeros)
    let one = lowRank(1, 40, 70)
    #expect(difference(sum.sum([one, zeros], step: 1), one) < 1e-5 * norm(one))
    let three = lowRank(3, 40, 70, step: 2)
    #expect(difference(sum.sum([zeros, three], step: 2), three) < 1e-4 * norm(three))
  }

  @Test func onlyWhatGetsSmallerIsCompressed() {
    let codec = PowerSGD(rank: 4)
    #expect(codec.compresses(matrix(64, 64)))
    #expect(!codec.compresses(matrix(8, 8)))
    #expect(!codec.compresses(matrix(4, 5000)))
    #expect(!codec.compresses(CodecTensor(name: "bias", elements: 0..<5000, shape: [5000])))
    #expect(codec.leftCount(of: matrix(64, 32)) == 256 && codec.rightCount(of: matrix(64, 32)) == 128)
  }

  @Test func whatIsNotANumberIsShown() {
    var sum = InProcessSum(.powerSGD(rank: 2), [matrix(30, 50)], shards: 2)
    var gradient = gradients(1500, "g")
    gradient[7] = .nan
    #expect(sum.sum([gradient, gradients(1500, "h")], step: 0).contains { $0.isNaN })
  }
}
