import CKernels

/// TernGrad: an element g, clipped to ±2.5 standard deviations of its tensor, becomes s · sign g with probability |g|/s, else
/// 0, where s is the largest magnitude that is left; the expectation is the clipped gradient, and nothing is kept.
///
/// Wen, Xu, Yan, Wu, Wang, Chen, Li, "TernGrad: ternary gradients to reduce communication in distributed deep learning",
/// NeurIPS 2017, sections 3 and 4. Each shard has its own s, which their sharing of scales only needs where sums are ternary.
/// A tensor whose elements are all equal is not clipped.
///
/// A message is s, a float, and two bits an element.
public struct TernGrad: MessageCodec, Hashable {
  /// Where gradients are clipped, in standard deviations.
  public static let clip = 2.5
  private static let bits: Int32 = 2
  private static let run = Int(CK_MOST_LEVELS_ELEMENTS)

  public var slots: [String] { [] }
  /// Because draws follow the elements of the standard layout.
  public var wantsStandardLayout: Bool { true }

  public init() {}

  private static func bytes(of tensor: CodecTensor) -> Int { 4 + ck_level_bytes(tensor.count, bits) }

  public func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int { (Self.bytes(of: tensor) + 3) / 4 * 4 }

  /// s of a tensor.
  static func scale(_ values: UnsafePointer<Float>, count: Int) -> Float {
    if count == 0 { return 0 }
    var spread = ck_spread()
    ck_measure_spread(values, count, &spread)
    let mean = spread.sum / Double(count)
    let deviation = max(spread.squares / Double(count) - mean * mean, 0).squareRoot()
    // Rounding leaves a little where all are equal.
    if deviation < 1e-6 * abs(mean) { return spread.largest }
    let bound = Float(clip * deviation)
    // What is not a number stays so.
    return bound < spread.largest ? bound : spread.largest
  }

  public func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int {
    let scale = Self.scale(contribution.gradient, count: tensor.count)
    let draws = moment.draws(for: tensor)
    message.storeBytes(of: contribution.factor * scale, as: Float.self)
    var to = (message + 4).assumingMemoryBound(to: UInt8.self)
    for first in stride(from: 0, to: tensor.count, by: Self.run) {
      let count = min(Self.run, tensor.count - first)
      ck_encode_levels(contribution.gradient + first, Self.coding(scale), draws, first, count, to)
      to += ck_level_bytes(count, Self.bits)
    }
    return Self.bytes(of: tensor)
  }

  public func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>
  ) {
    check(message, of: tensor, has: Self.bytes(of: tensor))
    guard let start = message.baseAddress else { return }
    ck_add_levels(
      (start + 4).assumingMemoryBound(to: UInt8.self), Self.coding(start.loadUnaligned(as: Float.self)), sum,
      tensor.count)
  }

  private static func coding(_ scale: Float) -> ck_level_coding { ck_level_coding(scale: scale, levels: 1, bits: bits) }
}
