import CKernels

/// QSGD: an element v of a bucket of 512 becomes ‖bucket‖ · sign v · l/s, where l is s·|v|/‖bucket‖ rounded up or down at
/// random, so that its expectation is v; nothing is kept.
///
/// Alistarh, Grubic, Li, Tomioka, Vojnović, "QSGD: communication-efficient SGD via gradient quantization and encoding",
/// NeurIPS 2017, section 3. The variance of a bucket of d elements is at most min(d/s², √d/s)·‖v‖².
///
/// A message is for each bucket the norm, a float, and codes in 0 … 2s of a fixed number of bits, eight side by side; no
/// Elias codes, whose lengths depend on the values and which vectors cannot read.
public struct QuantisedLevels: MessageCodec, Hashable {
  public static let bucket = Int(CK_MOST_LEVELS_ELEMENTS)
  public static let possibleLevels = 1...127

  /// s, the steps between 0 and the norm.
  public let levels: Int
  public var slots: [String] { [] }
  /// Because draws follow the elements of the standard layout.
  public var wantsStandardLayout: Bool { true }

  public init(levels: Int) {
    precondition(Self.possibleLevels.contains(levels), "\(levels) levels")
    self.levels = levels
  }

  /// Bits of a code.
  public var bits: Int { Int.bitWidth - (2 * levels).leadingZeroBitCount }

  private func bytes(ofBucketOf count: Int) -> Int { 4 + ck_level_bytes(count, Int32(bits)) }

  private func bytes(of tensor: CodecTensor) -> Int {
    let rest = tensor.count % Self.bucket
    return tensor.count / Self.bucket * bytes(ofBucketOf: Self.bucket)
      + (rest == 0 ? 0 : bytes(ofBucketOf: rest))
  }

  public func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int { (bytes(of: tensor) + 3) / 4 * 4 }

  public func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int {
    let draws = moment.draws(for: tensor)
    var to = message
    for first in stride(from: 0, to: tensor.count, by: Self.bucket) {
      let (values, count) = (contribution.gradient + first, min(Self.bucket, tensor.count - first))
      var squares = 0.0
      ck_sum_squares(values, count, &squares)
      let norm = Float(squares.squareRoot())
      // Codes do not depend on the factor, so only the norm is multiplied.
      to.storeBytes(of: contribution.factor * norm, as: Float.self)
      ck_encode_levels(
        values, coding(norm), draws, first, count, (to + 4).assumingMemoryBound(to: UInt8.self))
      to += bytes(ofBucketOf: count)
    }
    return to - message
  }

  public func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>
  ) {
    check(message, of: tensor, has: bytes(of: tensor))
    guard var from = message.baseAddress else { return }
    for first in stride(from: 0, to: tensor.count, by: Self.bucket) {
      let count = min(Self.bucket, tensor.count - first)
      ck_add_levels(
        (from + 4).assumingMemoryBound(to: UInt8.self), coding(from.loadUnaligned(as: Float.self)), sum + first, count)
      from += bytes(ofBucketOf: count)
    }
  }

  private func coding(_ norm: Float) -> ck_level_coding {
    ck_level_coding(scale: norm, levels: Int32(levels), bits: Int32(bits))
  }
}
