import CKernels
import Determinism
import Glibc

/// Deep Gradient Compression: each shard sends the largest elements of a sum v of *velocities*, not of gradients, so that what
/// waits keeps the momentum that it would have had.
///
///     g = factor · gradient + decay · parameters       clipped by the shard itself; decay before momentum
///     u = m·u + g                                      momentum correction (3.1)
///     v = v + u                                        Nesterov: v + g + m·u
///     send v where |v| ≥ a threshold; there v = u = 0  momentum factor masking (3.2)
///
/// Lin, Han, Mao, Wang, Dally, "Deep gradient compression: reducing the communication bandwidth for distributed training",
/// ICLR 2018, and the authors' code. The optimizer must then have no momentum. Their Nesterov form keeps m·u in u.
///
/// Where the ratio asks for all of a tensor, everything is sent and u is kept: dense momentum SGD, as the authors have it.
///
/// The threshold is that of a strided sample of 1 % (of at least 2 ÷ ratio elements). Where it lets through more than 1.3 times
/// what it should, exactly the largest are sent; where less than 0.8 times, it is lowered by a fifth, up to ten times. A message
/// is a `SparseMessage`.
public struct DeepGradientCompression: MessageCodec, Hashable {
  /// Of the elements that is sent once warm.
  public let ratio: Double
  /// Epochs in which more is sent: `ratio`^((e+1)/(n+1)) in epoch e of n, which for 0.001 and 4 are the paper's 25, 6.25,
  /// 1.6 and 0.4 %.
  public let warmUpEpochs: Int
  public let momentum: Float
  public let isNesterov: Bool

  public var slots: [String] { ["momentum", "accumulated"] }
  public var takesOverMomentum: Bool { true }

  private static let adaptations = 10
  private static let (most, least): (Double, Double) = (1.3, 0.8)
  private static let sampled = 0.01

  public init(ratio: Double, warmUpEpochs: Int = 4, momentum: Float, isNesterov: Bool = false) {
    precondition(ratio > 0 && ratio <= 1 && warmUpEpochs >= 0, "a ratio of \(ratio), \(warmUpEpochs) epochs")
    (self.ratio, self.warmUpEpochs, self.momentum, self.isNesterov) = (ratio, warmUpEpochs, momentum, isNesterov)
  }

  /// Of the elements that is sent in an epoch.
  public func ratio(epoch: Int) -> Double { Self.ratio(ratio, epoch: epoch, warmUpEpochs: warmUpEpochs) }

  static func ratio(_ ratio: Double, epoch: Int, warmUpEpochs: Int) -> Double {
    epoch >= warmUpEpochs ? ratio : pow(ratio, Double(epoch + 1) / Double(warmUpEpochs + 1))
  }

  /// Elements that a threshold should let through in an epoch.
  func kept(of tensor: CodecTensor, epoch: Int) -> Int { KeptRatio.count(ratio(epoch: epoch), of: tensor.count) }

  private static func limit(_ kept: Int, of tensor: CodecTensor) -> Int {
    min(Int(most * Double(kept)), tensor.count)
  }

  public func mostBytes(of tensor: CodecTensor, epoch: Int) -> Int {
    let kept = kept(of: tensor, epoch: epoch)
    return kept == tensor.count
      ? SparseMessage.bytes(of: kept, in: tensor) : SparseMessage.header + 8 * Self.limit(kept, of: tensor)
  }

  public func scratchBytes(for tensor: CodecTensor) -> Int {
    let most = (0...warmUpEpochs).map { epoch in
      let kept = kept(of: tensor, epoch: epoch)
      return max(
        LargestElements.scratchBytes(elements: tensor.count, k: kept),
        4 * (Int(CK_SELECTION_BINS) + Sample(of: tensor, ratio: ratio(epoch: epoch)).most))
    }
    return most.max() ?? 0
  }

  public func encode(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, at moment: CodecMoment,
    into message: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
  ) -> Int {
    guard let velocity = slots.first, let accumulated = slots.second else {
      preconditionFailure("Deep Gradient Compression needs two vectors")
    }
    let count = tensor.count
    let correction = ck_momentum_correction(
      factor: contribution.factor, decay: contribution.decay, momentum: momentum, nesterov: isNesterov ? 1 : 0)
    let parameters = contribution.decay == 0 ? nil : contribution.parameters
    ck_correct_momentum(velocity, accumulated, contribution.gradient, parameters, correction, count)
    let wanted = kept(of: tensor, epoch: moment.epoch)
    if wanted == count { return SparseMessage.writeAll(of: tensor, from: accumulated, into: message) }
    let indices = SparseMessage.indices(message)
    let kept = list(accumulated, of: tensor, wanted, at: moment, into: indices, scratch: scratch)
    if kept == count {
      velocity.update(repeating: 0, count: count)
    } else {
      ck_clear(velocity, indices, kept)
    }
    return SparseMessage.write(kept, of: tensor, from: accumulated, into: message)
  }

  /// Writes the indices of about `wanted` elements, at most 1.3 times as many.
  private func list(
    _ vector: UnsafePointer<Float>, of tensor: CodecTensor, _ wanted: Int, at moment: CodecMoment,
    into indices: UnsafeMutablePointer<UInt32>, scratch: UnsafeMutableRawPointer
  ) -> Int {
    let limit = Self.limit(wanted, of: tensor)
    var threshold = threshold(vector, of: tensor, at: moment, scratch: scratch)
    var listed = 0
    for _ in 0...Self.adaptations {
      ck_list_largest(vector, tensor.count, threshold.bitPattern, tensor.count, indices, limit, &listed)
      if listed > limit {
        LargestElements(elements: tensor.count, k: wanted, scratch: scratch)
          .list(vector, count: tensor.count, k: wanted, into: indices)
        return wanted
      }
      if Double(listed) >= Self.least * Double(wanted) { break }
      threshold *= Float(Self.least)
    }
    return listed
  }

  /// The magnitude that so large a part of a sample reaches as is to be sent.
  private func threshold(
    _ vector: UnsafePointer<Float>, of tensor: CodecTensor, at moment: CodecMoment, scratch: UnsafeMutableRawPointer
  ) -> Float {
    let ratio = ratio(epoch: moment.epoch)
    let sample = Sample(of: tensor, ratio: ratio)
    let first = sample.first(of: tensor, at: moment)
    let count = (tensor.count - first + sample.stride - 1) / sample.stride
    let bins = scratch.assumingMemoryBound(to: UInt32.self)
    let samples = (scratch + 4 * Int(CK_SELECTION_BINS)).assumingMemoryBound(to: Float.self)
    ck_sample(vector, first, sample.stride, samples, count)
    var selection = ck_selection()
    ck_select_largest(samples, count, KeptRatio.count(ratio, of: count), bins, &selection)
    return Float(bitPattern: selection.magnitude)
  }

  /// Every so-manieth element, from one drawn at random on.
  private struct Sample {
    let stride: Int
    /// Elements of the sample at most.
    let most: Int

    init(of tensor: CodecTensor, ratio: Double) {
      let wanted = max(Int((sampled * Double(tensor.count)).rounded(.up)), Int((2 / ratio).rounded(.up)), 1)
      // Odd, because extents of tensors are even.
      let stride = max(tensor.count / wanted, 1)
      self.stride = stride % 2 == 0 ? stride - 1 : stride
      most = (tensor.count + self.stride - 1) / self.stride
    }

    func first(of tensor: CodecTensor, at moment: CodecMoment) -> Int {
      let stream = RandomStream(seed: moment.seed, purpose: tensor.purpose)
      return Int(
        stream.integer(
          below: UInt32(stride), 0, sample: moment.shard.map { UInt32($0) + 1 } ?? 0,
          step: UInt32(truncatingIfNeeded: moment.step), epoch: UInt32(moment.epoch)))
    }
  }

  public func add(
    _ message: UnsafeRawBufferPointer, of tensor: CodecTensor, at moment: CodecMoment,
    to sum: UnsafeMutablePointer<Float>
  ) {
    SparseMessage.add(message, of: tensor, to: sum)
  }
}

extension DeepGradientCompression {
  /// The contribution of a tensor that stays dense, momentum applied, as the optimizer would: what is then summed in the
  /// gradient's place. It may be written over the gradient.
  public func correct(
    _ contribution: Contribution, of tensor: CodecTensor, slots: CodecSlots, into corrected: UnsafeMutablePointer<Float>
  ) {
    guard let velocity = slots.first else { preconditionFailure("Deep Gradient Compression needs two vectors") }
    let count = tensor.count
    if let parameters = contribution.parameters, contribution.decay != 0 {
      ck_add_decayed(corrected, contribution.gradient, contribution.factor, parameters, contribution.decay, count)
    } else {
      ck_scale(corrected, contribution.gradient, contribution.factor, count)
    }
    if isNesterov {
      ck_trace_nesterov(corrected, velocity, corrected, 1, momentum, momentum, count)
    } else {
      ck_trace(velocity, corrected, 1, momentum, count)
      corrected.update(from: velocity, count: count)
    }
  }
}
