import CKernels

/// Random numbers without state: each is a function of (seed, purpose, epoch, step, sample, element).
///
/// A stream belongs to one purpose, named with the layer it serves (`"dropout/fc1"`, `"initialise/conv1.weight"`,
/// `"crop"`), so two purposes never share a number. Generator: Philox4x32-10 (CKernels/philox.h). The counter holds the
/// four coordinates, the key is made of seed and purpose.
public struct RandomStream: Sendable, Hashable {
  public let key: UInt64

  public init(seed: UInt64, purpose: String) {
    // FNV-1a over the name, then two rounds of a 64-bit finaliser so that close seeds and names give unrelated keys.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    key = Self.mix(Self.mix(seed &+ 0x9e37_79b9_7f4a_7c15) ^ hash)
  }

  /// The four words for elements `4·block ..< 4·block + 4` of a sample.
  @inlinable
  public func words(block: UInt32, sample: UInt32 = 0, step: UInt32 = 0, epoch: UInt32 = 0) -> SIMD4<UInt32> {
    let out = ck_philox(ck_philox_block(word: (block, sample, step, epoch)), key)
    return SIMD4(out.word.0, out.word.1, out.word.2, out.word.3)
  }

  /// The word that belongs to one element.
  @inlinable
  public func word(_ element: Int, sample: UInt32 = 0, step: UInt32 = 0, epoch: UInt32 = 0) -> UInt32 {
    words(block: UInt32(element / 4), sample: sample, step: step, epoch: epoch)[element % 4]
  }

  /// A number uniform in 0..<1, a multiple of 2⁻²⁴, for one element.
  @inlinable
  public func uniform(_ element: Int, sample: UInt32 = 0, step: UInt32 = 0, epoch: UInt32 = 0) -> Float {
    Float(word(element, sample: sample, step: step, epoch: epoch) >> 8) * 0x1p-24
  }

  /// An integer uniform in `0..<bound`, for one element (multiply-shift; bias below `bound`·2⁻³²).
  @inlinable
  public func integer(below bound: UInt32, _ element: Int, sample: UInt32 = 0, step: UInt32 = 0, epoch: UInt32 = 0)
    -> UInt32
  {
    UInt32((UInt64(word(element, sample: sample, step: step, epoch: epoch)) &* UInt64(bound)) >> 32)
  }

  /// A bijective 64-bit finaliser (Stafford's variant 13 of MurmurHash3's).
  @inlinable
  public static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
