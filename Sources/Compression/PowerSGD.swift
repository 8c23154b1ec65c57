import CKernels
import Determinism

/// PowerSGD: a gradient matrix M [rows, columns] as the product of two thin factors, found by one step of power iteration;
/// linear, so that the factors are summed like gradients.
///
///     E = E + M                       each shard: `project`, which also gives
///     P = E Q                         each shard; then summed over the shards by the caller
///     P = orthonormal columns of P    each rank: `orthogonalise`
///     Q = Eᵀ P                        each shard: `projectBack`; then summed over the shards by the caller
///     E = E − P·(its own Q)ᵀ          each shard: `settle`, with Q before the sum
///     M̂ = P Qᵀ                        each rank: `decode`, with the sum; it is the gradient that goes on
///     Q is where the next step starts
///
/// Vogels, Karimireddy, Jaggi, "PowerSGD: practical low-rank gradient compression for distributed optimization", NeurIPS 2019,
/// algorithms 1 and 2.
///
/// **What a shard subtracts.** M̂ is the sum of P·Qₛᵀ over the shards s, Qₛ being each one's own Q. A shard's contribution to
/// what was sent is therefore P·Qₛᵀ; it subtracts just that, and sent + residuals = gradients + old residuals, summed over the
/// shards. (The paper's shards subtract the mean M̂ each, from contributions that are not divided: the sum is the same, and
/// with it all factors, but there a shard's residual holds the others' gradients as well.)
///
/// Factors are stored column by column: P as [rank, rows], Q as [rank, columns].
public struct PowerSGD: GradientCodec, Hashable {
  public let rank: Int
  public var slots: [String] { ["residual"] }
  /// Names of the vectors that all ranks keep alike from step to step, zero at first: each tensor's summed Q.
  public var sharedSlots: [String] { ["start"] }
  public var wantsStandardLayout: Bool { true }

  public init(rank: Int) {
    precondition(rank > 0, "a rank of \(rank)")
    self.rank = rank
  }

  /// Where factors have as many elements as the matrix, it stays dense.
  public func compresses(_ tensor: CodecTensor) -> Bool {
    tensor.isCompressed && rank * (tensor.rows + tensor.columns) < tensor.rows * tensor.columns
  }

  /// Elements of P.
  public func leftCount(of tensor: CodecTensor) -> Int { rank * tensor.rows }

  /// Elements of Q.
  public func rightCount(of tensor: CodecTensor) -> Int { rank * tensor.columns }

  /// Draws each column of Q that is zero: all of them at first, later those that a matrix of lower rank left.
  public func prepare(start: UnsafeMutablePointer<Float>, of tensor: CodecTensor, at moment: CodecMoment) {
    let stream = RandomStream(seed: moment.seed, purpose: tensor.purpose)
    let (step, epoch) = (UInt32(truncatingIfNeeded: moment.step), UInt32(moment.epoch))
    for vector in 0..<rank {
      let first = vector * tensor.columns
      if (0..<tensor.columns).contains(where: { start[first + $0] != 0 }) { continue }
      for element in first..<first + tensor.columns {
        start[element] = 2 * stream.uniform(element, step: step, epoch: epoch) - 1
      }
    }
  }

  /// residual += gradient, and a shard's P of that.
  public func project(
    _ gradient: UnsafePointer<Float>, of tensor: CodecTensor, residual: UnsafeMutablePointer<Float>,
    start: UnsafePointer<Float>, left: UnsafeMutablePointer<Float>
  ) {
    ck_feed_back(residual, gradient, 1, tensor.count)
    ck_multiply_right(residual, tensor.rows, tensor.columns, start, rank, left)
  }

  /// Makes the columns of the summed P orthonormal.
  public func orthogonalise(left: UnsafeMutablePointer<Float>, of tensor: CodecTensor) {
    Orthogonalisation.run(left, count: rank, length: tensor.rows)
  }

  /// A shard's Q.
  public func projectBack(
    of tensor: CodecTensor, residual: UnsafePointer<Float>, left: UnsafePointer<Float>,
    right: UnsafeMutablePointer<Float>
  ) {
    ck_multiply_left(residual, tensor.rows, tensor.columns, left, rank, right)
  }

  /// Subtracts from the residual what its shard has sent.
  /// - Parameter right: the shard's own Q.
  public func settle(
    of tensor: CodecTensor, residual: UnsafeMutablePointer<Float>, left: UnsafePointer<Float>,
    right: UnsafePointer<Float>
  ) {
    ck_subtract_factors(residual, tensor.rows, tensor.columns, left, right, rank)
  }

  /// M̂.
  /// - Parameter right: the summed Q.
  public func decode(
    of tensor: CodecTensor, left: UnsafePointer<Float>, right: UnsafePointer<Float>,
    to gradient: UnsafeMutablePointer<Float>
  ) {
    ck_multiply_factors(gradient, tensor.rows, tensor.columns, left, right, rank)
  }
}
