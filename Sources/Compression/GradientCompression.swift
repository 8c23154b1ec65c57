/// How gradients are compressed on their way between shards: a user's choice.
///
/// `description` is what the command line takes.
public enum GradientCompression: Sendable, Hashable {
  case none
  case float16
  case bfloat16
  case eightBit
  case oneBit
  case sign
  case qsgd(levels: Int)
  case ternGrad
  case topK(ratio: Double)
  case randomK(ratio: Double)
  case deepGradientCompression(ratio: Double, warmUpEpochs: Int = 4)
  case powerSGD(rank: Int)

  /// A codec by how its bytes travel.
  public enum Codec: Sendable {
    case units(any UnitCodec)
    case messages(any MessageCodec)
    case lowRank(PowerSGD)

    /// What all of them have in common.
    public var codec: any GradientCodec {
      switch self {
      case .units(let codec): codec
      case .messages(let codec): codec
      case .lowRank(let codec): codec
      }
    }
  }

  /// The codec; nil for none.
  /// - Parameters:
  ///   - momentum: the optimizer's, for a codec that takes it over.
  ///   - isNesterov: whether that is Nesterov's.
  public func codec(momentum: Float = 0, isNesterov: Bool = false) -> Codec? {
    switch self {
    case .none: nil
    case .float16: .units(HalfPrecision(.float16))
    case .bfloat16: .units(HalfPrecision(.bfloat16))
    case .eightBit: .units(EightBit())
    case .oneBit: .units(OneBit())
    case .sign: .messages(SignWithFeedback())
    case .qsgd(let levels): .messages(QuantisedLevels(levels: levels))
    case .ternGrad: .messages(TernGrad())
    case .topK(let ratio): .messages(TopK(ratio: ratio))
    case .randomK(let ratio): .messages(RandomK(ratio: ratio))
    case .deepGradientCompression(let ratio, let epochs):
      .messages(
        DeepGradientCompression(ratio: ratio, warmUpEpochs: epochs, momentum: momentum, isNesterov: isNesterov))
    case .powerSGD(let rank): .lowRank(PowerSGD(rank: rank))
    }
  }
}
