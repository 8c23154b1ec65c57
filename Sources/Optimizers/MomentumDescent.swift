import CKernels

/// The end of a chain that one loop does at once: weight decay if there is any, momentum, the learning rate and the descent.
///
/// Its bits are those of the transformations one after another; over vectors in the cache it takes two thirds of their time,
/// because it walks along parameters, trace and gradient side by side instead of over each by itself.
struct MomentumDescent {
  /// What a transformation is in such an end.
  enum Part: Hashable {
    case decay(Float)
    case trace(momentum: Float, nesterov: Bool)
    case rate
  }

  /// The transformation with which it begins.
  let start: Int
  private let decay: Float
  private let momentum: Float
  private let isNesterov: Bool
  /// The trace's slot among those of the chain.
  private let slot: Int

  /// Nil for a chain that ends otherwise.
  /// - Parameters:
  ///   - pass: the last one.
  ///   - firstSlots: of each transformation of the chain.
  init?(_ chain: [GradientTransformation], pass: Range<Int>, firstSlots: [Int]) {
    let parts = chain[pass].map(\.part)
    guard parts.count >= 2, parts.last == .rate, case .trace(let momentum, let nesterov) = parts[parts.count - 2] else {
      return nil
    }
    var (start, weight) = (pass.upperBound - 2, Float(0))
    if parts.count >= 3, case .decay(let decay) = parts[parts.count - 3] { (start, weight) = (start - 1, decay) }
    (self.start, decay, self.momentum, isNesterov) = (start, weight, momentum, nesterov)
    slot = firstSlots[pass.upperBound - 2]
  }

  /// Takes a run of elements on from where `block` is in the chain.
  func run(_ block: UpdateBlock, parameters: UnsafeMutablePointer<Float>, trace: UnsafeMutablePointer<Float>) {
    let step = ck_momentum_step(
      factor: block.factor, decay: decay, momentum: momentum, rate: Float(block.step.learningRate),
      decays: block.decays && decay != 0 ? 1 : 0, nesterov: isNesterov ? 1 : 0)
    ck_descend_with_momentum(parameters, trace, block.update, step, block.count)
  }

  /// The trace in the run's slots.
  func trace(of slots: UnsafeBufferPointer<UnsafeMutablePointer<Float>>) -> UnsafeMutablePointer<Float> { slots[slot] }
}
