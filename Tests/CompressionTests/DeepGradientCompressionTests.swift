import Compression
import Testing

@Suite struct DeepGradientCompressionTests {
  /// Momentum SGD's update of one step, in floats: t = m·t + g, and t, or Nesterov's g + m·t.
  private struct Momentum {
    var trace: [Float]
    let momentum: Float
    let isNesterov: Bool

    mutating func update(_ gradient: [Float]) -> [Float] {
      trace = zip(trace, gradient).map { momentum * $0 + $1 }
      return isNesterov ? zip(trace, gradient).map { $1 + momentum * $0 } : trace
    }
  }

  /// At sparsity 0 the bits are those of dense momentum SGD, with weight decay and clipping in their places.
  @Test(arguments: [false, true]) func sendingEverythingIsDenseMomentum(isNesterov: Bool) {
    let tensor = matrix(20, 60)
    for decay in [0, 0.01] as [Float] {
      let encoder = Encoder(DeepGradientCompression(ratio: 1, momentum: 0.9, isNesterov: isNesterov), tensor)
      var dense = Momentum(
        trace: Array(repeating: 0, count: tensor.count), momentum: 0.9, isNesterov: isNesterov)
      var parameters = gradients(tensor.count, "parameters")
      for step in 0..<10 {
        let gradient = gradients(tensor.count, "g", step: step)
        let sent = encoder.sent(gradient, parameters: parameters, factor: 0.7, decay: decay, at: moment(step: step))
        let decayed = zip(gradient, parameters).map { decay == 0 ? 0.7 * $0 : 0.7 * $0 + decay * $1 }
        #expect(bits(sent) == bits(dense.update(decayed)), "step \(step), decay \(decay)")
        #expect(encoder.slots[1].allSatisfy { $0 == 0 })
        parameters = zip(parameters, sent).map { $0 - 0.1 * $1 }
      }
    }
  }

  /// So is the sum over shards where no rounding hides an error: whole numbers, a momentum of a half.
  @Test(arguments: [false, true]) func theSumOverShardsIsDenseMomentum(isNesterov: Bool) {
    let tensors = [
      matrix(20, 60, name: "a"),
      CodecTensor(name: "bias", elements: 1200..<1220, shape: [20]),
    ]
    var sum = InProcessSum(
      .deepGradientCompression(ratio: 1), tensors, shards: 4, momentum: 0.5, isNesterov: isNesterov)
    var dense = Momentum(trace: Array(repeating: 0, count: 1220), momentum: 0.5, isNesterov: isNesterov)
    let parameters = wholeNumbers(1220, "parameters")
    for step in 0..<8 {
      let contributions = (0..<4).map { wholeNumbers(1220, "shard \($0)", step: step) }
      let total = (0..<1220).map { index in contributions.reduce(0) { $0 + $1[index] } + 0.5 * parameters[index] }
      #expect(sum.sum(contributions, parameters: parameters, decay: 0.5, step: step) == dense.update(total))
    }
  }

  /// What is sent and what waits: v after a step is v before it + the velocity, without the sent elements, whose velocity
  /// is gone as well.
  @Test(arguments: [false, true]) func whatIsNotSentWaits(isNesterov: Bool) {
    // A single element would always be sent, as dense momentum.
    for (rows, columns) in shapes where rows * columns != 1 {
      let tensor = matrix(rows, columns)
      let codec = DeepGradientCompression(ratio: 0.02, warmUpEpochs: 2, momentum: 0.9, isNesterov: isNesterov)
      let encoder = Encoder(codec, tensor)
      for step in 0..<6 {
        let gradient = gradients(tensor.count, "g", step: step)
        let velocity = zip(gradient, encoder.slots[0]).map { 0.9 * $1 + $0 }
        let whole = (0..<tensor.count).map {
          encoder.slots[1][$0] + (isNesterov ? gradient[$0] + 0.9 * velocity[$0] : velocity[$0])
        }
        let sent = encoder.sent(gradient, at: moment(step: step, epoch: step / 2))
        #expect(zip(sent, encoder.slots[1]).map { $0 + $1 } == whole)
        for index in 0..<tensor.count {
          #expect(sent[index] == 0 || (encoder.slots[0][index] == 0 && encoder.slots[1][index] == 0))
          #expect(sent[index] != 0 || whole[index] == 0 || encoder.slots[0][index] == velocity[index])
        }
        // The largest are sent.
        let least = sent.filter { $0 != 0 }.map(\.magnitude).min() ?? 0
        #expect(encoder.slots[1].allSatisfy { $0.magnitude <= least } || tensor.count == 0)
      }
    }
  }

  /// Momentum of the sparse sum, v ← v + g, u ← m·u + sent, loses the factor that waiting elements should have got: a constant
  /// gradient that is sent every tenth step gains 1/(1−m) with momentum correction before masking, and less without.
  @Test func momentumOfWhatWasSentIsAnotherMethod() {
    let (momentum, steps) = (Float(0.5), 3)
    // Sent in the third step only: velocities 1, 1.5, 1.75.
    let tensor = matrix(1, 2)
    let codec = DeepGradientCompression(ratio: 0.5, warmUpEpochs: 0, momentum: momentum)
    let encoder = Encoder(codec, tensor)
    var corrected = [Float](repeating: 0, count: 2)
    var (waiting, trace, naive) = ([Float](repeating: 0, count: 2), Float(0), Float(0))
    for step in 0..<steps {
      // The other element is larger until the third step.
      let gradient: [Float] = [1, step < 2 ? 100 : 0]
      corrected = zip(corrected, encoder.sent(gradient, at: moment(step: step))).map { $0 + $1 }
      waiting[0] += gradient[0]
      let sent = step == 2 ? waiting[0] : 0
      trace = momentum * trace + sent
      naive += trace
    }
    #expect(corrected[0] == 1 + 1.5 + 1.75)
    #expect(naive == 3)
  }

  @Test func warmUpIsThatOfThePaper() {
    let codec = DeepGradientCompression(ratio: 0.001, momentum: 0.9)
    let paper = [0.25, 0.0625, 0.015625, 0.004, 0.001, 0.001]
    for (epoch, ratio) in paper.enumerated() { #expect(abs(codec.ratio(epoch: epoch) / ratio - 1) < 0.02) }
    #expect(codec.ratio(epoch: 4) == 0.001)
    #expect(DeepGradientCompression(ratio: 0.001, warmUpEpochs: 0, momentum: 0).ratio(epoch: 0) == 0.001)
  }

  /// Whatever the sample says, between 0.8 and 1.3 times the elements are sent.
  @Test func theThresholdLetsThroughWhatItShould() {
    let tensor = matrix(400, 500)
    for ratio in [0.001, 0.01, 0.1, 0.5] {
      let codec = DeepGradientCompression(ratio: ratio, warmUpEpochs: 0, momentum: 0.9)
      let encoder = Encoder(codec, tensor)
      var counts: [Int] = []
      for step in 0..<12 {
        let sent = encoder.sent(gradients(tensor.count, "g", step: step), at: moment(step: step))
        counts.append(sent.count { $0 != 0 })
      }
      let wanted = ratio * Double(tensor.count)
      #expect(counts.allSatisfy { (0.8 * wanted...1.3 * wanted).contains(Double($0)) }, "\(ratio): \(counts)")
      #expect(Set(counts).count > 1, "samples differ from step to step")
    }
  }
}
