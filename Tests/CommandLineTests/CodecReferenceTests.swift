import Compression
import Foundation
import TensorFiles
import TestSupport
import Testing

/// What a run puts through a codec is what `InProcessSum` makes of its shards' gradients: the sum, and all that is kept, over
/// two steps.
@Suite(.serialized) struct CodecReferenceTests {
  private static let shards = 4
  private static let steps = 2
  /// Nothing moves, and the trace of momentum is the gradient of its step.
  private static let still = ["--learning-rate", "1e-30", "--weight-decay", "0"]

  /// The gradients of all shards in each step, in parts of the mean over the whole batch.
  private struct Gradients {
    let data: SplitData
    /// In the order of names, and where each stands in a vector of all.
    let tensors: [CodecTensor]
    let start: [Float]
    /// By step and shard.
    let values: [[[Float]]]

    init() throws {
      let data = try SplitData(shards: shards, steps: steps)
      var found: [[[Float]]] = []
      var first: StoredStates?
      for step in 0..<steps {
        found.append(
          try (0..<shards).map { shard in
            let states = try data.trainShard(shard, step: step, still + ["--momentum", "0.5"])
            first = first ?? states
            // A power of two: exact.
            return try states.vector(StoredVector.momentum, after: 1).map { $0 / Float(shards) }
          })
      }
      (self.data, values) = (data, found)
      let states = try #require(first)
      start = try states.vector(StoredVector.parameters, after: 1)
      var end = 0
      var all: [CodecTensor] = []
      for tensor in try states.file(after: 1).tensors where tensor.name.hasPrefix(StoredVector.momentum) {
        let count = tensor.shape.reduce(1, *)
        all.append(
          CodecTensor(
            name: String(tensor.name.dropFirst(StoredVector.momentum.count)), elements: end..<end + count,
            shape: tensor.shape))
        end += count
      }
      tensors = all
    }
  }

  private static let gradients = Result { try Gradients() }

  /// Of the compressed tensors: what stays dense is added in another order.
  private func elements(_ reference: InProcessSum, _ codec: any GradientCodec) -> [Int] {
    reference.tensors.filter { codec.compresses($0) }.flatMap(\.elements)
  }

  /// Of codecs that work element by element or in the standard layout; the others see the kernels' order, which machines
  /// differ in.
  @Test(arguments: ["float16", "bfloat16", "1-bit", "sign", "qsgd:16", "terngrad", "random-k:0.05"])
  func sumsAndResidualsAreThoseOfTheReference(_ name: String) throws {
    let gradients = try Self.gradients.get()
    let compression = try GradientCompression(parsing: name)
    let codec = try #require(compression.codec())
    // Next to nothing of the trace before is left.
    let run = try gradients.data.train(
      name, Self.still + ["--momentum", "1e-44", "--compress", name], name == "sign" ? .ranks(3) : .alone)
    var reference = InProcessSum(compression, gradients.tensors, shards: Self.shards, seed: 5)
    let compressed = elements(reference, codec.codec)
    #expect(compressed.count > 1000)
    for step in 0..<Self.steps {
      let sum = reference.sum(gradients.values[step], step: step)
      let found = try run.vector(StoredVector.momentum, after: step + 1)
      #expect(compressed.allSatisfy { abs(found[$0] - sum[$0]) < .leastNormalMagnitude }, "the sum of step \(step)")
      #expect(distance(found, sum) < 1e-6)
      #expect(sum.contains { $0 != 0 })
      for shard in 0..<Self.shards {
        for (slot, kept) in codec.codec.slots.enumerated() {
          let values = try run.vector(StoredVector.shard(shard, kept), after: step + 1)
          #expect(compressed.allSatisfy { values[$0] == reference.slots[shard][slot][$0] }, "\(kept) of shard \(shard)")
        }
      }
      if case .units(let units) = codec, let kept = units.sumSlots.first {
        // Each shard keeps what it owns, and zeros.
        let owned = try (0..<Self.shards).map { try run.vector(StoredVector.shard($0, "sum-\(kept)"), after: step + 1) }
        let all = CommandLineTests.sum(owned)
        #expect(compressed.allSatisfy { all[$0] == reference.sumResidual[$0] }, "what is kept of sums")
        #expect(reference.sumResidual.contains { $0 != 0 })
      }
    }
  }

  /// Factors are added in ring order, which is another rounding.
  @Test func powerSGDIsTheReferenceToRounding() throws {
    let gradients = try Self.gradients.get()
    let compression = GradientCompression.powerSGD(rank: 2)
    let run = try gradients.data.train("powersgd", Self.still + ["--momentum", "1e-44", "--compress", "powersgd:2"])
    var reference = InProcessSum(compression, gradients.tensors, shards: Self.shards, seed: 5)
    for step in 0..<Self.steps {
      let sum = reference.sum(gradients.values[step], step: step)
      let scale = sum.map(abs).max() ?? 0
      #expect(try distance(run.vector(StoredVector.momentum, after: step + 1), sum) < 1e-4 * scale)
      for shard in 0..<Self.shards {
        let residual = try run.vector(StoredVector.shard(shard, "residual"), after: step + 1)
        #expect(distance(residual, reference.slots[shard][0]) < 1e-4 * scale, "residual of shard \(shard)")
      }
    }
  }

  /// Whatever order of elements a codec works in: what is sent and what is kept are together what was to be sent, step after step.
  @Test(arguments: ["8-bit", "1-bit", "sign", "top-k:0.05"]) func nothingIsLostInARun(_ name: String) throws {
    let gradients = try Self.gradients.get()
    let codec = try #require(GradientCompression(parsing: name).codec())
    let run = try gradients.data.train(
      "kept-\(name)", Self.still + ["--momentum", "1e-44", "--compress", name], .ranks(2))
    let count = gradients.start.count
    var (due, sent) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
    for step in 0..<Self.steps {
      let sum = try run.vector(StoredVector.momentum, after: step + 1)
      var kept = [Double](repeating: 0, count: count)
      var names = codec.codec.slots
      if case .units(let units) = codec { names += units.sumSlots.map { "sum-\($0)" } }
      for shard in 0..<Self.shards {
        for name in names {
          for (index, value) in try run.vector(StoredVector.shard(shard, name), after: step + 1).enumerated() {
            kept[index] += Double(value)
          }
        }
      }
      for index in 0..<count {
        due[index] += gradients.values[step].reduce(0) { $0 + Double($1[index]) }
        sent[index] += Double(sum[index])
      }
      let largest = (0..<count).map { abs(sent[$0] + kept[$0] - due[$0]) }.max() ?? 0
      #expect(largest < 1e-6, "after step \(step)")
      #expect(kept.contains { abs($0) > 1e-3 }, "something is kept")
    }
  }

  /// Where all of it is sent, deep gradient compression is momentum SGD; each shard clips its gradient to c ÷ √S, and weight
  /// decay comes after that.
  @Test func deepGradientCompressionIsMomentumWithLocalClipping() throws {
    let gradients = try Self.gradients.get()
    let rate: Float = 0.05
    let optimizer = ["--learning-rate", "\(rate)", "--momentum", "0.9", "--weight-decay", "0.01"]
    let plain = try gradients.data.train("plain", optimizer)
    let all = try gradients.data.train("all", optimizer + ["--compress", "dgc:1:0"], .ranks(3))
    for step in 1...Self.steps {
      let pair = try [plain, all].map { try $0.vector(StoredVector.parameters, after: step) }
      #expect(distance(pair[0], pair[1]) < 1e-6, "after step \(step)")
    }

    let clipNorm = 0.5
    let clipped = try gradients.data.train(
      "clipped", optimizer + ["--compress", "dgc:1:0", "--clip-norm", "\(clipNorm)"])
    var sum = [Double](repeating: 0, count: gradients.start.count)
    var factors: [Double] = []
    for gradient in gradients.values[0] {
      let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      factors.append(min(1, clipNorm / Double(Self.shards).squareRoot() / norm))
      for index in sum.indices { sum[index] += Double(gradient[index]) * (factors.last ?? 1) }
    }
    #expect(factors.allSatisfy { $0 < 0.95 }, "\(factors) clip")
    let decays = Set(gradients.tensors.filter { $0.rows < $0.count }.flatMap(\.elements))
    let expected = gradients.start.indices.map { index in
      Float(
        Double(gradients.start[index]) - Double(rate)
          * (sum[index] + (decays.contains(index) ? 0.01 * Double(gradients.start[index]) : 0)))
    }
    let found = try clipped.vector(StoredVector.parameters, after: 1)
    #expect(distance(found, expected) < 1e-6 && distance(expected, gradients.start) > 1e-3)
  }
}
