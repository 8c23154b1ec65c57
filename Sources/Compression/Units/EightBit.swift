import CKernels

/// Eight bits an element: a unit of 256 elements is its largest magnitude, a float, and multiples of 1/127 of that, to the
/// nearest; with error feedback for contributions and for the sum.
///
/// Linear and block by block, unlike the floating format of Dettmers, "8-bit approximations for parallelism in deep
/// learning", ICLR 2016.
public struct EightBit: UnitCodec, Hashable {
  public static let unit = 256

  public var slots: [String] { ["residual"] }

  public init() {}

  public func unitLength(of tensor: CodecTensor) -> Int { Self.unit }

  public func bytes(ofUnitOf count: Int) -> Int { MemoryLayout<Float>.size + count }

  public func encode(
    _ units: Range<Int>, of tensor: CodecTensor, gradient: UnsafePointer<Float>,
    residual: UnsafeMutablePointer<Float>?, into bytes: UnsafeMutableRawPointer
  ) {
    guard let residual else { preconditionFailure("8-bit needs a residual") }
    let to = bytes.assumingMemoryBound(to: UInt8.self)
    forEach(units, of: tensor) { elements, offset in
      let first = elements.lowerBound
      ck_encode_eight_bit(residual + first, gradient + first, to + offset, elements.count)
    }
  }

  public func decode(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>
  ) {
    guard let from = start(of: bytes, units, of: tensor) else { return }
    forEach(units, of: tensor) { elements, offset in
      ck_decode_eight_bit(from + offset, values + elements.lowerBound, elements.count)
    }
  }

  public func add(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>
  ) {
    guard let from = start(of: bytes, units, of: tensor) else { return }
    forEach(units, of: tensor) { elements, offset in
      ck_add_eight_bit(from + offset, values + elements.lowerBound, elements.count)
    }
  }
}
