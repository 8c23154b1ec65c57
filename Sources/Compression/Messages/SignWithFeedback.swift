import CKernels

/// EF-SignSGD: mean|p| · sign p, where p is the gradient and what earlier messages lacked; the sign of 0 is +.
///
/// Karimireddy, Rebjock, Stich, Jaggi, "Error feedback fixes SignSGD and other gradient compression schemes", ICML 2019. Theirs
/// feeds back steps, which carry the learning rate of their time; this one feeds back gradients.
///
/// A message is the mean, a float, and a bit an element.
public struct SignWithFeedback: MessageCodec, Hashable {
  public var slots: [String] { ["residual"] }
  /// Because padding, which must stay zero, has no sign.
  public var wantsStandardLayout: Bool { true }

  public init() {}

  public func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int { Self.bytes(of: tensor) }

  private static func bytes(of tensor: CodecTensor) -> Int { 4 + (tensor.count + 31) / 32 * 4 }

  public func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int {
    var sums = ck_sign_sums()
    ck_feed_back_signs(slots.residual, contribution.gradient, contribution.factor, tensor.count, &sums)
    let mean = tensor.count == 0 ? 0 : Float((sums.positive - sums.negative) / Double(tensor.count))
    message.storeBytes(of: mean, as: Float.self)
    // Bits that no element has are 0.
    let bytes = Self.bytes(of: tensor)
    if bytes > 4 { message.storeBytes(of: 0, toByteOffset: bytes - 4, as: UInt32.self) }
    ck_encode_signs(
      slots.residual, mean, -mean, (message + 4).assumingMemoryBound(to: UInt8.self), tensor.count)
    return bytes
  }

  public func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>
  ) {
    check(message, of: tensor, has: Self.bytes(of: tensor))
    guard let start = message.baseAddress else { return }
    let mean = start.loadUnaligned(as: Float.self)
    ck_add_signs((start + 4).assumingMemoryBound(to: UInt8.self), mean, -mean, sum, tensor.count)
  }
}
