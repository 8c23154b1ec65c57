import Compression
import Determinism
import Testing

/// What is sent and what is left are what there was: nothing is lost and nothing invented.
@Suite struct ConservationTests {
  /// Elements are sent whole or not at all, so this holds for every element, exactly.
  @Test func sparseMessagesAndResidualsMakeUpTheGradient() {
    for codec in [
      TopK(ratio: 0.01), TopK(ratio: 0.3), TopK(ratio: 1), RandomK(ratio: 0.01), RandomK(ratio: 0.7), RandomK(ratio: 1),
    ] as [any MessageCodec] {
      for (rows, columns) in shapes {
        let tensor = matrix(rows, columns)
        let encoder = Encoder(codec, tensor)
        for step in 0..<4 {
          let gradient = gradients(tensor.count, "g", step: step)
          let old = encoder.slots[0]
          let sent = encoder.sent(gradient, factor: 0.5, at: moment(step: step))
          let whole = zip(gradient, old).map { 0.5 * $0 + $1 }
          #expect(zip(sent, encoder.slots[0]).map { $0 + $1 } == whole, "\(codec) of \(rows) × \(columns)")
          #expect(zip(sent, encoder.slots[0]).allSatisfy { $0 == 0 || $1 == 0 })
        }
      }
    }
  }

  /// With quantised values what is left is one subtraction: the sum is exact up to its rounding, and exact where numbers are
  /// such that nothing is rounded.
  @Test func quantisedMessagesAndResidualsMakeUpTheGradient() {
    let codec = SignWithFeedback()
    for (rows, columns) in shapes {
      let tensor = matrix(rows, columns)
      let encoder = Encoder(codec, tensor)
      for step in 0..<4 {
        let gradient = gradients(tensor.count, "g", step: step)
        let whole = zip(gradient, encoder.slots[0]).map { $0 + $1 }
        let sent = encoder.sent(gradient, at: moment(step: step))
        #expect(isNearSum(sent, encoder.slots[0], whole))
        // The least squared error that one magnitude can have is that of the mean.
        let mean = whole.reduce(0) { $0 + Double($1.magnitude) } / Double(max(tensor.count, 1))
        #expect(sent.allSatisfy { abs(Double($0.magnitude) - mean) <= 1e-7 * mean })
      }
    }
    // Means of 64 whole numbers are multiples of 1/64, and four steps stay within 24 bits.
    let tensor = matrix(8, 8)
    let encoder = Encoder(codec, tensor)
    for step in 0..<2 {
      let gradient = wholeNumbers(64, "whole", step: step)
      let whole = zip(gradient, encoder.slots[0]).map { $0 + $1 }
      let sent = encoder.sent(gradient, at: moment(step: step))
      #expect(zip(sent, encoder.slots[0]).map { $0 + $1 } == whole)
    }
  }

  @Test func unitsAndResidualsMakeUpTheGradient() {
    for (codec, steps) in [(EightBit(), 4), (OneBit(), 4)] as [(any UnitCodec, Int)] {
      for (rows, columns) in shapes {
        let tensor = matrix(rows, columns)
        var residual = [Float](repeating: 0, count: tensor.count)
        for step in 0..<steps {
          let gradient = gradients(tensor.count, "g", step: step)
          let whole = zip(gradient, residual).map { $0 + $1 }
          let sent = sent(gradient, &residual, codec, tensor)
          #expect(isNearSum(sent, residual, whole), "\(codec) of \(rows) × \(columns)")
        }
      }
    }
  }

  /// Eight bits: the multiple next to a number is within a factor of two of it or zero, so subtracting rounds nothing.
  @Test func eightBitResidualsAreExact() {
    let tensor = matrix(100, 256)
    var residual = [Float](repeating: 0, count: tensor.count)
    for step in 0..<20 {
      let gradient = gradients(tensor.count, "g", step: step)
      let whole = zip(gradient, residual).map { $0 + $1 }
      let sent = sent(gradient, &residual, EightBit(), tensor)
      #expect(zip(sent, residual).map { $0 + $1 } == whole)
      for unit in 0..<100 {
        let elements = unit * 256..<(unit + 1) * 256
        let largest = whole[elements].map(\.magnitude).max() ?? 0
        #expect(residual[elements].allSatisfy { $0.magnitude <= largest / 254 * 1.001 })
      }
    }
  }

  /// One bit: the mean of a row's entries of one sign, so the sums of what is left of either sign vanish.
  @Test func oneBitSendsTheMeansOfRows() {
    let tensor = matrix(20, 64)
    // Sixteen entries of each row are one sign and the others the other, so means are exact.
    let gradient = (0..<tensor.count).map { index -> Float in
      let size = Float(1 + (index * 7) % 13)
      return index % 4 == 0 ? size : -size
    }
    var residual = [Float](repeating: 0, count: tensor.count)
    let sent = sent(gradient, &residual, OneBit(), tensor)
    for row in 0..<20 {
      let elements = Array(row * 64..<(row + 1) * 64)
      for sign in [true, false] {
        let own = elements.filter { (gradient[$0] >= 0) == sign }
        let mean = own.map { Double(gradient[$0]) }.reduce(0, +) / Double(own.count)
        #expect(own.allSatisfy { sent[$0] == Float(mean) })
      }
    }
    let isDyadic = gradient.enumerated().filter { $0.offset % 4 == 0 }
    #expect(isDyadic.allSatisfy { sent[$0.offset] + residual[$0.offset] == $0.element })
  }

  private func sent(
    _ gradient: [Float], _ residual: inout [Float], _ codec: any UnitCodec, _ tensor: CodecTensor
  ) -> [Float] {
    let units = 0..<codec.unitCount(of: tensor)
    var bytes = [UInt8](repeating: 0, count: codec.bytes(of: units, in: tensor) + 1)
    codec.encode(units, of: tensor, gradient: gradient, residual: &residual, into: &bytes)
    var values = [Float](repeating: 7, count: tensor.count)
    bytes.dropLast().withUnsafeBytes { codec.decode(units, of: tensor, from: $0, to: &values) }
    return values
  }

  private func isNearSum(_ sent: [Float], _ left: [Float], _ whole: [Float]) -> Bool {
    whole.indices.allSatisfy {
      abs(Double(sent[$0]) + Double(left[$0]) - Double(whole[$0])) <= 0x1p-24 * Double(left[$0].magnitude)
    }
  }

  /// Over many steps the sums of what went on and of the gradients differ by what is left, and that stays small: no codec with
  /// feedback drifts, and 1-bit, which feeds back the finished sum as well, has both residuals.
  @Test func nothingDriftsOverManySteps() {
    for compression in [
      .eightBit, .oneBit, .sign, .topK(ratio: 0.1), .randomK(ratio: 0.1), .powerSGD(rank: 2),
    ] as [GradientCompression] {
      let (shards, steps) = (3, 60)
      let tensors = [matrix(40, 50, name: "a"), matrix(20, 60, at: 2016, name: "b")]
      var sum = InProcessSum(compression, tensors, shards: shards)
      var (given, went) = ([Double](repeating: 0, count: sum.count), [Double](repeating: 0, count: sum.count))
      for step in 0..<steps {
        let contributions = (0..<shards).map { gradients(sum.count, "shard \($0)", step: step) }
        for (index, value) in sum.sum(contributions, step: step).enumerated() { went[index] += Double(value) }
        for gradient in contributions {
          for tensor in tensors { for index in tensor.elements { given[index] += Double(gradient[index]) } }
        }
      }
      var left = [Double](repeating: 0, count: sum.count)
      for shard in sum.slots { for (index, value) in shard[0].enumerated() { left[index] += Double(value) } }
      for (index, value) in sum.sumResidual.enumerated() { left[index] += Double(value) }
      let lost = tensors.flatMap(\.elements).map { abs(given[$0] - went[$0] - left[$0]) }.max() ?? 0
      #expect(lost < 2e-4, "\(compression) lost \(lost)")
    }
  }
}
