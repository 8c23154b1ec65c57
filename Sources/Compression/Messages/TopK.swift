import CKernels

/// Sends the elements of largest magnitude of gradient + residual; what is not sent is the residual (Aji, Heafield, "Sparse
/// communication for distributed gradient descent", EMNLP 2017; Stich, Cordonnier, Jaggi, "Sparsified SGD with memory", 2018).
///
/// A message is a `SparseMessage`.
public struct TopK: MessageCodec, Hashable {
  /// Of the elements that is kept.
  public let ratio: Double
  public var slots: [String] { ["residual"] }

  public init(ratio: Double) {
    precondition(ratio > 0 && ratio <= 1, "a ratio of \(ratio)")
    self.ratio = ratio
  }

  /// k of a tensor.
  public func kept(of tensor: CodecTensor) -> Int { KeptRatio.count(ratio, of: tensor.count) }

  public func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int {
    SparseMessage.bytes(of: kept(of: tensor), in: tensor)
  }

  public func scratchBytes(for tensor: CodecTensor) -> Int {
    LargestElements.scratchBytes(elements: tensor.count, k: kept(of: tensor))
  }

  public func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int {
    let (residual, k) = (slots.residual, kept(of: tensor))
    ck_feed_back(residual, contribution.gradient, contribution.factor, tensor.count)
    if k < tensor.count {
      LargestElements(elements: tensor.count, k: k, scratch: scratch)
        .list(residual, count: tensor.count, k: k, into: SparseMessage.indices(message))
    }
    return SparseMessage.write(k, of: tensor, from: residual, into: message)
  }

  public func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>
  ) {
    SparseMessage.add(message, of: tensor, to: sum)
  }
}
