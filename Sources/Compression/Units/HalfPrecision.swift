import CKernels

/// Casts to 16 bits, to the nearest, ties to even: every tensor, nothing kept.
///
/// float16 is more precise and ends at 65,504; the bfloat16's range is that of a float.
public struct HalfPrecision: UnitCodec, Hashable {
  public enum Format: Sendable, Hashable { case float16, bfloat16 }

  public let format: Format
  public var slots: [String] { [] }

  public init(_ format: Format) { self.format = format }

  public func compresses(_ tensor: CodecTensor) -> Bool { true }

  public func unitLength(of tensor: CodecTensor) -> Int { 4096 }

  public func bytes(ofUnitOf count: Int) -> Int { 2 * count }

  public func encode(
    _ units: Range<Int>, of tensor: CodecTensor, gradient: UnsafePointer<Float>,
    residual: UnsafeMutablePointer<Float>?, into bytes: UnsafeMutableRawPointer
  ) {
    let elements = elements(of: units, in: tensor)
    let to = bytes.assumingMemoryBound(to: UInt16.self)
    switch format {
    case .float16: ck_round_to_float16(gradient + elements.lowerBound, to, elements.count)
    case .bfloat16: ck_round_to_bfloat16(gradient + elements.lowerBound, to, elements.count)
    }
  }

  public func decode(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>
  ) {
    let elements = elements(of: units, in: tensor)
    guard let from = halves(bytes, units, tensor) else { return }
    switch format {
    case .float16: ck_widen_float16(from, values + elements.lowerBound, elements.count)
    case .bfloat16: ck_widen_bfloat16(from, values + elements.lowerBound, elements.count)
    }
  }

  public func add(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>
  ) {
    let elements = elements(of: units, in: tensor)
    guard let from = halves(bytes, units, tensor) else { return }
    switch format {
    case .float16: ck_add_float16(from, values + elements.lowerBound, elements.count)
    case .bfloat16: ck_add_bfloat16(from, values + elements.lowerBound, elements.count)
    }
  }

  private func halves(
    _ bytes: UnsafeRawBufferPointer, _ units: Range<Int>, _ tensor: CodecTensor
  ) -> UnsafePointer<UInt16>? {
    start(of: bytes, units, of: tensor).map { UnsafeRawPointer($0).assumingMemoryBound(to: UInt16.self) }
  }
}
