import CKernels

/// 1-bit SGD: an element's sign, and for each output two values that stand for its weights' gradients, the mean of those ≥ 0
/// and the mean of those below, which make the squared error least; with error feedback for contributions and for the sum.
///
/// Seide, Fu, Droppo, Li, Yu, "1-bit stochastic gradient descent and its application to data-parallel distributed training of
/// speech DNNs", Interspeech 2014, whose matrices have a column for each output where ours have a row. They train for a while
/// without it first.
///
/// A unit is a row: two floats, and a bit an element in whole bytes.
public struct OneBit: UnitCodec, Hashable {
  public var slots: [String] { ["residual"] }
  public var wantsStandardLayout: Bool { true }

  public init() {}

  public func unitLength(of tensor: CodecTensor) -> Int { tensor.columns }

  public func bytes(ofUnitOf count: Int) -> Int { Self.bits + (count + 7) / 8 }

  /// Where the bits begin, behind the two values.
  private static let bits = 2 * MemoryLayout<Float>.size

  public func encode(
    _ units: Range<Int>, of tensor: CodecTensor, gradient: UnsafePointer<Float>,
    residual: UnsafeMutablePointer<Float>?, into bytes: UnsafeMutableRawPointer
  ) {
    guard let residual else { preconditionFailure("1-bit needs a residual") }
    forEach(units, of: tensor) { elements, offset in
      let (row, count) = (residual + elements.lowerBound, elements.count)
      var sums = ck_sign_sums()
      ck_feed_back_signs(row, gradient + elements.lowerBound, 1, count, &sums)
      let negatives = count - sums.positives
      let positive = sums.positives == 0 ? 0 : Float(sums.positive / Double(sums.positives))
      let negative = negatives == 0 ? 0 : Float(sums.negative / Double(negatives))
      let to = bytes + offset
      to.storeBytes(of: positive, as: Float.self)
      to.storeBytes(of: negative, toByteOffset: MemoryLayout<Float>.size, as: Float.self)
      ck_encode_signs(row, positive, negative, (to + Self.bits).assumingMemoryBound(to: UInt8.self), count)
    }
  }

  public func decode(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>
  ) {
    guard let from = start(of: bytes, units, of: tensor) else { return }
    forEach(units, of: tensor) { elements, offset in
      let (positive, negative) = Self.means(from + offset)
      ck_decode_signs(
        from + offset + Self.bits, positive, negative, values + elements.lowerBound, elements.count)
    }
  }

  public func add(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>
  ) {
    guard let from = start(of: bytes, units, of: tensor) else { return }
    forEach(units, of: tensor) { elements, offset in
      let (positive, negative) = Self.means(from + offset)
      ck_add_signs(from + offset + Self.bits, positive, negative, values + elements.lowerBound, elements.count)
    }
  }

  private static func means(_ unit: UnsafePointer<UInt8>) -> (positive: Float, negative: Float) {
    let from = UnsafeRawPointer(unit)
    return (from.loadUnaligned(as: Float.self), from.loadUnaligned(fromByteOffset: 4, as: Float.self))
  }
}
