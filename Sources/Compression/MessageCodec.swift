/// A codec that makes one message of a shard's whole tensor, as long as it happens to be.
///
/// All messages go to all ranks, who decode and add them in ascending shard index to a sum that starts at zero. The sum
/// itself is not encoded.
public protocol MessageCodec: GradientCodec {
  /// Bytes of the longest message of a tensor in an epoch, a multiple of 4.
  func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int

  /// Bytes of memory that encoding a tensor needs beside its slots; what is in there means nothing afterwards.
  func scratchBytes(for tensor: CodecTensor) -> Int

  /// Encodes a contribution and leaves in the slots what the message lacks of it.
  /// - Parameters:
  ///   - message: `mostBytes` of memory at a multiple of 4.
  ///   - scratch: `scratchBytes` of memory at a multiple of 4.
  /// - Returns: bytes of the message.
  func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int

  /// Adds what a message says to a sum.
  /// - Parameters:
  ///   - moment: that of the encoding, its shard included.
  ///   - sum: the tensor's first element.
  func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>)
}

extension MessageCodec {
  public func scratchBytes(for tensor: CodecTensor) -> Int { 0 }

  func check(_ message: UnsafeRawBufferPointer, of tensor: CodecTensor, has bytes: Int) {
    precondition(
      message.count == bytes, "the message of \(tensor.name) has \(message.count) bytes instead of \(bytes)")
  }
}

/// What a shard has to send of a tensor: factor · gradient + decay · parameters.
///
/// Pointers are to the tensor's first element.
public struct Contribution {
  public var gradient: UnsafePointer<Float>
  /// For codecs that take over momentum: weight decay is added before it, shard by shard.
  public var parameters: UnsafePointer<Float>?
  /// The gradient is multiplied with it first: clipping of a shard's own gradient.
  public var factor: Float
  /// The shard's part of the weight decay: λ times its part of the global batch.
  public var decay: Float

  public init(
    gradient: UnsafePointer<Float>, parameters: UnsafePointer<Float>? = nil, factor: Float = 1, decay: Float = 0
  ) {
    (self.gradient, self.parameters, self.factor, self.decay) = (gradient, parameters, factor, decay)
  }
}

/// A shard's vectors in the order of a codec's `slots`, each at the tensor's first element.
public struct CodecSlots {
  let first: UnsafeMutablePointer<Float>?
  let second: UnsafeMutablePointer<Float>?

  public init(_ first: UnsafeMutablePointer<Float>? = nil, _ second: UnsafeMutablePointer<Float>? = nil) {
    (self.first, self.second) = (first, second)
  }

  /// The only vector of a codec with error feedback.
  var residual: UnsafeMutablePointer<Float> {
    guard let first else { preconditionFailure("the codec needs a residual") }
    return first
  }
}
