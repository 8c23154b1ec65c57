import Compression
import Determinism

/// Numbers like gradients: many small ones, few large ones, a function of their index, a name and a step.
func gradients(_ count: Int, _ purpose: String, step: Int = 0) -> [Float] {
  let stream = RandomStream(seed: 11, purpose: purpose)
  return (0..<count).map { index in
    let (a, b) = (stream.uniform(2 * index, step: UInt32(step)), stream.uniform(2 * index + 1, step: UInt32(step)))
    return (2 * a - 1) * b * b * b
  }
}

/// Small whole numbers: their sums and halves are exact.
func wholeNumbers(_ count: Int, _ purpose: String, step: Int = 0) -> [Float] {
  let stream = RandomStream(seed: 12, purpose: purpose)
  return (0..<count).map { Float(stream.integer(below: 33, $0, step: UInt32(step))) - 16 }
}

/// A matrix at the start of a flat vector.
func matrix(_ rows: Int, _ columns: Int, at first: Int = 0, name: String = "m") -> CodecTensor {
  CodecTensor(
    name: name, elements: first..<first + rows * columns, rows: rows, columns: columns, isCompressed: true)
}

/// Small shapes, extents 0 and 1 among them, and one that is sampled.
let shapes = [(0, 5), (1, 1), (1, 7), (7, 1), (3, 16), (5, 103), (2, 512), (33, 65), (300, 300)]

let everyCompression: [GradientCompression] = [
  .none, .float16, .bfloat16, .eightBit, .oneBit, .sign, .qsgd(levels: 1), .qsgd(levels: 16), .qsgd(levels: 127),
  .ternGrad, .topK(ratio: 0.01), .topK(ratio: 0.4), .topK(ratio: 1), .randomK(ratio: 0.01), .randomK(ratio: 1),
  .deepGradientCompression(ratio: 0.01), .deepGradientCompression(ratio: 1), .powerSGD(rank: 1),
  .powerSGD(rank: 3),
]

/// A message codec at one tensor, with a shard's slots and memory of its own.
final class Encoder {
  let codec: any MessageCodec
  let tensor: CodecTensor
  var slots: [[Float]]
  private(set) var message: [UInt8] = []

  init(_ codec: any MessageCodec, _ tensor: CodecTensor) {
    (self.codec, self.tensor) = (codec, tensor)
    slots = codec.slots.map { _ in Array(repeating: 0, count: tensor.count) }
  }

  /// Encodes a gradient and gives what the message says.
  @discardableResult
  func sent(
    _ gradient: [Float], parameters: [Float]? = nil, factor: Float = 1, decay: Float = 0, at moment: CodecMoment
  ) -> [Float] {
    let most = codec.mostBytes(of: tensor, epoch: moment.epoch)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: most + 8, alignment: 4)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: codec.scratchBytes(for: tensor) + 8, alignment: 4)
    let vectors = slots.map { values in
      let vector = UnsafeMutablePointer<Float>.allocate(capacity: values.count + 1)
      vector.initialize(from: values, count: values.count)
      return vector
    }
    defer {
      memory.deallocate()
      scratch.deallocate()
      vectors.forEach { $0.deallocate() }
    }
    // What lies behind must stay.
    (memory + most).storeBytes(of: 0x5eed_5eed, as: UInt32.self)
    let length = gradient.withUnsafeBufferPointer { gradient in
      (parameters ?? []).withUnsafeBufferPointer { parameters in
        codec.encode(
          Contribution(
            gradient: gradient.baseAddress ?? UnsafePointer(bitPattern: 16)!, parameters: parameters.baseAddress,
            factor: factor, decay: decay),
          of: tensor, slots: CodecSlots(vectors.first, vectors.dropFirst().first), at: moment, into: memory,
          scratch: scratch)
      }
    }
    precondition((memory + most).loadUnaligned(as: UInt32.self) == 0x5eed_5eed && length <= most)
    slots = vectors.map { Array(UnsafeBufferPointer(start: $0, count: tensor.count)) }
    message = Array(UnsafeRawBufferPointer(start: memory, count: length))
    var sum = [Float](repeating: 0, count: tensor.count)
    message.withUnsafeBytes { codec.add($0, of: tensor, at: moment, to: &sum) }
    return sum
  }
}

func moment(step: Int = 0, epoch: Int = 0, shard: Int? = 0, seed: UInt64 = 42) -> CodecMoment {
  CodecMoment(seed: seed, epoch: epoch, step: step, shard: shard)
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
