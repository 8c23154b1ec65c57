/// What a run must know of a codec before the first step.
///
/// A codec's contributions are a shard's part of the mean gradient: already divided, so that their sum over all shards is the
/// gradient of the global batch. Partial sums are never encoded (numerics contract, rule 9).
public protocol GradientCodec: Sendable {
  /// Names of the flat vectors that each shard keeps from step to step, zero at first; the run's state.
  var slots: [String] { get }
  /// Whether rows and columns matter, so that gradients must be brought into the standard layout first.
  var wantsStandardLayout: Bool { get }
  /// Whether the codec applies momentum, so that the optimizer must not.
  var takesOverMomentum: Bool { get }
  /// Whether a tensor is encoded; the others are summed as they are.
  func compresses(_ tensor: CodecTensor) -> Bool
}

extension GradientCodec {
  public var wantsStandardLayout: Bool { false }
  public var takesOverMomentum: Bool { false }
  public func compresses(_ tensor: CodecTensor) -> Bool { tensor.isCompressed }
}
