import CKernels
import Determinism

/// Sends k elements of gradient + residual chosen at random, the same for all shards of a step, unscaled; what is not sent is
/// the residual (Stich, Cordonnier, Jaggi, "Sparsified SGD with memory", NeurIPS 2018).
///
/// The tensor is cut into k equal parts, and one element of each is drawn: every element has the same chance as in a draw
/// without replacement, up to the rounding of parts, at a cost of k instead of a permutation of all.
///
/// A message is the values. Indices follow from the moment.
public struct RandomK: MessageCodec, Hashable {
  /// Of the elements that is kept.
  public let ratio: Double
  public var slots: [String] { ["residual"] }
  /// Because draws follow the elements of the standard layout.
  public var wantsStandardLayout: Bool { true }

  public init(ratio: Double) {
    precondition(ratio > 0 && ratio <= 1, "a ratio of \(ratio)")
    self.ratio = ratio
  }

  /// k of a tensor.
  public func kept(of tensor: CodecTensor) -> Int { KeptRatio.count(ratio, of: tensor.count) }

  public func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int { 4 * kept(of: tensor) }

  /// Runs a body for each element that a moment draws, ascending.
  func forEachDrawn(of tensor: CodecTensor, at moment: CodecMoment, _ body: (_ number: Int, _ index: Int) -> Void) {
    let k = kept(of: tensor)
    if k == 0 { return }
    let stream = RandomStream(seed: moment.seed, purpose: tensor.purpose)
    let (step, epoch) = (UInt32(truncatingIfNeeded: moment.step), UInt32(moment.epoch))
    // Part `number` begins at number · count / k, which is followed here without dividing again.
    let (size, excess) = tensor.count.quotientAndRemainder(dividingBy: k)
    var (start, remainder) = (0, 0)
    var words = SIMD4<UInt32>()
    for number in 0..<k {
      if number % 4 == 0 { words = stream.words(block: UInt32(number / 4), step: step, epoch: epoch) }
      remainder += excess
      var length = size
      if remainder >= k { (remainder, length) = (remainder - k, size + 1) }
      body(number, start + Int((UInt64(words[number % 4]) &* UInt64(length)) >> 32))
      start += length
    }
  }

  public func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int {
    let residual = slots.residual
    let values = message.assumingMemoryBound(to: Float.self)
    ck_feed_back(residual, contribution.gradient, contribution.factor, tensor.count)
    forEachDrawn(of: tensor, at: moment) { number, index in
      values[number] = residual[index]
      residual[index] = 0
    }
    return 4 * kept(of: tensor)
  }

  public func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>
  ) {
    check(message, of: tensor, has: 4 * kept(of: tensor))
    guard let start = message.baseAddress else { return }
    forEachDrawn(of: tensor, at: moment) { number, index in
      sum[index] += start.loadUnaligned(fromByteOffset: 4 * number, as: Float.self)
    }
  }
}
