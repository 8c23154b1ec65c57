import Compression
import Determinism
import Testing

/// Codecs that round at random: their expectation is the gradient.
@Suite struct UnbiasednessTests {
  private static let draws = 2_000

  /// Means over many draws, and the mean squared error of one.
  private func statistics(_ codec: any MessageCodec, _ gradient: [Float]) -> (means: [Double], squaredError: Double) {
    let encoder = Encoder(codec, matrix(1, gradient.count))
    var (sums, error) = ([Double](repeating: 0, count: gradient.count), 0.0)
    for step in 0..<Self.draws {
      let sent = encoder.sent(gradient, at: moment(step: step, shard: step % 5))
      for index in sent.indices {
        sums[index] += Double(sent[index])
        let difference = Double(sent[index]) - Double(gradient[index])
        error += difference * difference
      }
    }
    return (sums.map { $0 / Double(Self.draws) }, error / Double(Self.draws))
  }

  /// An element rounded between two levels that are Δ apart has a variance of at most Δ²/4, and its mean over n draws a
  /// standard deviation of at most Δ/(2√n); five of them are exceeded once in two million. Of a bucket the squared error is
  /// at most min(d/s², √d/s)·‖v‖².
  @Test(arguments: [1, 4, 16, 127]) func quantisedLevelsAreUnbiased(levels: Int) {
    let gradient = gradients(700, "g")
    let (means, squaredError) = statistics(QuantisedLevels(levels: levels), gradient)
    var bound = 0.0
    for bucket in [0..<512, 512..<700] {
      let squares = gradient[bucket].reduce(0) { $0 + Double($1) * Double($1) }
      let step = squares.squareRoot() / Double(levels)
      let deviation = step / (2 * Double(Self.draws).squareRoot())
      for index in bucket { #expect(abs(means[index] - Double(gradient[index])) <= 5 * deviation) }
      let d = Double(bucket.count)
      bound += min(d / Double(levels * levels), d.squareRoot() / Double(levels)) * squares
    }
    #expect(squaredError <= bound, "\(squaredError) > \(bound)")
    #expect(squaredError > 0)
  }

  /// s · Bernoulli(|g|/s) has variance |g|·(s − |g|); of an element that is hardly ever sent, two hits more than expected are
  /// let pass.
  @Test func ternaryGradientsAreUnbiasedAfterClipping() {
    var gradient = gradients(600, "g")
    gradient[5] = 30
    gradient[77] = -20
    let mean = gradient.reduce(0) { $0 + Double($1) } / 600
    let variance = gradient.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 600
    let clip = 2.5 * variance.squareRoot()
    #expect(clip < 20)
    let (means, _) = statistics(TernGrad(), gradient)
    for (index, value) in gradient.enumerated() {
      let clipped = min(max(Double(value), -clip), clip)
      let deviation = (abs(clipped) * (clip - abs(clipped)) / Double(Self.draws)).squareRoot()
      #expect(abs(means[index] - clipped) <= 5 * deviation + 2 * clip / Double(Self.draws))
    }
  }

  @Test func ternaryGradientsHaveThreeValues() {
    let gradient = gradients(600, "g")
    let largest = gradient.map(\.magnitude).max() ?? 0
    let sent = Encoder(TernGrad(), matrix(1, 600)).sent(gradient, factor: 0.5, at: moment())
    #expect(Set(sent.map(\.magnitude)).count == 2)
    #expect(sent.allSatisfy { $0.magnitude <= largest / 2 })
    // Equal elements are all sent, because they are not clipped.
    let equal = [Float](repeating: 0.3, count: 40)
    #expect(Encoder(TernGrad(), matrix(1, 40)).sent(equal, at: moment()) == equal)
  }

  @Test func everyCoordinateOfTheMomentDrawsAnew() {
    let gradient = gradients(600, "g")
    let moments = [
      moment(), moment(step: 1), moment(epoch: 1), moment(shard: 1), moment(shard: nil), moment(seed: 1),
    ]
    for codec in [QuantisedLevels(levels: 4), TernGrad()] as [any MessageCodec] {
      let sent = moments.map { Encoder(codec, matrix(1, 600)).sent(gradient, at: $0) }
      #expect(Set(sent).count == moments.count)
      let other = CodecTensor(name: "other", elements: 0..<600, rows: 1, columns: 600, isCompressed: true)
      #expect(Encoder(codec, other).sent(gradient, at: moments[0]) != sent[0])
      #expect(Encoder(codec, matrix(1, 600)).sent(gradient, at: moments[0]) == sent[0])
    }
  }

  /// Every element is drawn about as often as any: n draws of a chance p have a deviation of √(n·p·(1−p)).
  @Test func everyElementIsDrawnAlike() {
    let tensor = matrix(1, 103)
    let codec = RandomK(ratio: 0.1)
    var counts = [Int](repeating: 0, count: 103)
    for step in 0..<4_000 {
      let encoder = Encoder(codec, tensor)
      let sent = encoder.sent(Array(repeating: 1, count: 103), at: moment(step: step))
      #expect(sent.count { $0 == 1 } == 11)
      for index in sent.indices where sent[index] == 1 { counts[index] += 1 }
      #expect(encoder.message.count == 44)
    }
    // Parts hold nine or ten elements: 400 or 444 draws, with a deviation of 19 or 20.
    let usual = 400 - 5 * 19...444 + 5 * 20
    for count in counts { #expect(usual.contains(count), "\(count)") }
    // The shards of a step draw the same.
    let first = Encoder(codec, tensor).sent(Array(repeating: 1, count: 103), at: moment(shard: 0))
    #expect(Encoder(codec, tensor).sent(Array(repeating: 1, count: 103), at: moment(shard: 3)) == first)
  }
}
