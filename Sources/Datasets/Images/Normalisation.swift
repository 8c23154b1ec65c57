import CKernels

/// The affine map, one a channel, from a byte to a network's input: `(byte/255 − mean)/deviation`.
///
/// It is computed as `fma(Float(byte), scale, shift)` with `scale = Float(1/(255·deviation))` and
/// `shift = Float(−mean/deviation)`, both worked out in float64 and rounded once. (Processors without fused
/// multiply-add round the product too.) A byte's result does not depend on where it lies.
public struct Normalisation: Sendable, Hashable {
  /// Mean of each channel of images scaled to 0…1.
  public let mean: [Double]
  /// Standard deviation of each channel of images scaled to 0…1.
  public let deviation: [Double]
  public let scale: [Float]
  public let shift: [Float]

  public init(mean: [Double], deviation: [Double]) {
    precondition(mean.count == deviation.count && deviation.allSatisfy { $0 > 0 })
    self.mean = mean
    self.deviation = deviation
    scale = deviation.map { Float(1 / (255 * $0)) }
    shift = zip(mean, deviation).map { Float(-$0 / $1) }
  }

  /// Maps the bytes of one image of the shape, channel by channel, to floats.
  func apply(_ bytes: UnsafePointer<UInt8>, shape: ImageShape, to floats: UnsafeMutablePointer<Float>) {
    precondition(scale.count == shape.channels, "\(scale.count) means for \(shape.channels) channels")
    let plane = shape.planeCount
    for channel in 0..<shape.channels {
      ck_normalise_bytes(floats + channel * plane, bytes + channel * plane, plane, scale[channel], shift[channel])
    }
  }
}
