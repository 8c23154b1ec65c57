import Compression
import Engine
import Foundation

/// Times codecs on one core, over one matrix of gradients in memory, beside the copy of its bytes.
public struct CodecBenchmark: Sendable {
  /// Those of the default, each once.
  public static let usual: [GradientCompression] = [
    .float16, .bfloat16, .eightBit, .oneBit, .sign, .qsgd(levels: 16), .ternGrad, .topK(ratio: 0.01),
    .randomK(ratio: 0.01), .deepGradientCompression(ratio: 0.001), .powerSGD(rank: 2),
  ]

  public var compressions = usual
  public var elements: Int
  /// Of each measurement, about.
  public var seconds = 0.5
  /// Weights of an output.
  static let columns = 1024

  /// - Parameter elements: nil for a vector of at least twice the processor's largest cache, up to 512 MiB, so that memory is
  ///   measured.
  public init(elements: Int? = nil) {
    let cached = sysconf(Int32(_SC_LEVEL3_CACHE_SIZE))
    self.elements = elements ?? max(1 << 22, min(cached / 2, 1 << 27))
  }

  /// The figures of a codec, with the names that files have in JSON. Gigabytes are of gradient: four bytes an element.
  public struct Row: Codable, Sendable {
    public var codec: String
    public var elements: Int
    /// What a shard sends.
    public var bytes: Int
    /// Bytes of the gradient ÷ bytes sent.
    public var ratio: Double
    public var encodeGbs: Double
    /// Decoding and adding to a sum; for PowerSGD the product of the factors.
    public var decodeGbs: Double
    public var copyGbs: Double
  }

  /// Measures one codec after another; the best time of each counts.
  public func run(observe: (Row) -> Void) throws {
    let columns = min(elements, Self.columns)
    let tensor = CodecTensor(
      name: "gradient", elements: 0..<elements / columns * columns, rows: elements / columns, columns: columns,
      isCompressed: true)
    let vectors = try Vectors(tensor.count)
    let bytes = 4 * tensor.count
    let copy = time { vectors.sum.update(from: vectors.gradient, count: tensor.count) }
    for compression in compressions {
      guard let codec = compression.codec(momentum: 0.9), codec.codec.compresses(tensor) else { continue }
      vectors.reset()
      let (sent, encode, decode) =
        switch codec {
        case .units(let codec): measure(codec, tensor, vectors)
        case .messages(let codec): measure(codec, tensor, vectors)
        case .lowRank(let codec): measure(codec, tensor, vectors)
        }
      observe(
        Row(
          codec: compression.description, elements: tensor.count, bytes: sent, ratio: Double(bytes) / Double(sent),
          encodeGbs: Double(bytes) / encode, decodeGbs: Double(bytes) / decode, copyGbs: Double(bytes) / copy))
    }
  }

  /// Vectors of one length, skewed against each other (`FloatBuffer`).
  private struct Vectors {
    private let buffers: [FloatBuffer]
    let count: Int
    var gradient: UnsafeMutablePointer<Float> { buffers[0].pointer }
    var sum: UnsafeMutablePointer<Float> { buffers[1].pointer }
    var slots: [UnsafeMutablePointer<Float>] { [buffers[2].pointer, buffers[3].pointer] }

    init(_ count: Int) throws {
      self.count = count
      buffers = try (0..<4).map { try FloatBuffer(count: count, skew: 1088 * $0) }
      // The sum of four uniform numbers is near to a normal one.
      var state: UInt64 = 1
      for index in 0..<count {
        var value: Float = -2
        for _ in 0..<4 {
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          value += Float(state >> 40) * 0x1p-24
        }
        gradient[index] = value * 1e-3
      }
      reset()
    }

    func reset() {
      for vector in slots + [sum] { vector.update(repeating: 0, count: count) }
    }
  }

  /// Nanoseconds of the best of several runs.
  private func time(_ body: () -> Void) -> Double {
    let end = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9)
    var (best, runs) = (Double.infinity, 0)
    while runs < 3 || DispatchTime.now().uptimeNanoseconds < end {
      let begin = DispatchTime.now().uptimeNanoseconds
      body()
      best = min(best, Double(max(DispatchTime.now().uptimeNanoseconds - begin, 1)))
      runs += 1
    }
    return best
  }

  private typealias Figures = (bytes: Int, encode: Double, decode: Double)

  private func measure(_ codec: any UnitCodec, _ tensor: CodecTensor, _ vectors: Vectors) -> Figures {
    let units = 0..<codec.unitCount(of: tensor)
    let length = codec.bytes(of: units, in: tensor)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 64)
    defer { bytes.deallocate() }
    guard let start = bytes.baseAddress else { return (0, 1, 1) }
    let encode = time {
      codec.encode(units, of: tensor, gradient: vectors.gradient, residual: vectors.slots[0], into: start)
    }
    let decode = time {
      codec.add(units, of: tensor, from: UnsafeRawBufferPointer(bytes), to: vectors.sum)
    }
    return (length, encode, decode)
  }

  private func measure(_ codec: any MessageCodec, _ tensor: CodecTensor, _ vectors: Vectors) -> Figures {
    // Behind every epoch of warm-up.
    let epoch = 1_000_000
    let message = UnsafeMutableRawPointer.allocate(
      byteCount: codec.mostBytes(of: tensor, epoch: epoch), alignment: 64)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: codec.scratchBytes(for: tensor) + 64, alignment: 64)
    defer {
      message.deallocate()
      scratch.deallocate()
    }
    let slots = CodecSlots(vectors.slots[0], vectors.slots[1])
    var (step, length) = (0, 0)
    func moment() -> CodecMoment { CodecMoment(seed: 1, epoch: epoch, step: step, shard: 0) }
    let encode = time {
      step += 1
      length = codec.encode(
        Contribution(gradient: vectors.gradient), of: tensor, slots: slots, at: moment(), into: message,
        scratch: scratch)
    }
    let decode = time {
      codec.add(UnsafeRawBufferPointer(start: message, count: length), of: tensor, at: moment(), to: vectors.sum)
    }
    return (length, encode, decode)
  }

  private func measure(_ codec: PowerSGD, _ tensor: CodecTensor, _ vectors: Vectors) -> Figures {
    let (leftCount, rightCount) = (codec.leftCount(of: tensor), codec.rightCount(of: tensor))
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: leftCount + 2 * rightCount)
    memory.initialize(repeating: 0, count: leftCount + 2 * rightCount)
    defer { memory.deallocate() }
    let (left, right, start) = (memory, memory + leftCount, memory + leftCount + rightCount)
    codec.prepare(start: start, of: tensor, at: CodecMoment(seed: 1, epoch: 0, step: 0))
    let residual = vectors.slots[0]
    let encode = time {
      codec.project(vectors.gradient, of: tensor, residual: residual, start: start, left: left)
      codec.orthogonalise(left: left, of: tensor)
      codec.projectBack(of: tensor, residual: residual, left: left, right: right)
      codec.settle(of: tensor, residual: residual, left: left, right: right)
    }
    let decode = time { codec.decode(of: tensor, left: left, right: right, to: vectors.sum) }
    return (4 * (leftCount + rightCount), encode, decode)
  }
}
