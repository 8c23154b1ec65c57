import CKernels
import Datasets
import Testing

@Suite struct NormalisationTests {
  /// The documented formula, byte by byte; without fused multiply-add the product is rounded too.
  static func expected(_ byte: UInt8, mean: Double, deviation: Double) -> Float {
    let scale = Float(1 / (255 * deviation))
    let shift = Float(-mean / deviation)
    return ck_effective_instruction_set() == CK_BASELINE
      ? Float(byte) * scale + shift : shift.addingProduct(Float(byte), scale)
  }

  @Test func everyByteOfEveryChannel() throws {
    let means = [0.4914, 0.1307, 0.5]
    let deviations = [0.2470, 0.3081, 0.2]
    let shape = ImageShape(channels: 3, height: 1, width: 256)
    let set = ImageSet(
      shape: shape, pixels: (0..<768).map { UInt8(truncatingIfNeeded: $0) }, labels: [4])
    var images = [Float](repeating: 0, count: 768)
    var labels: [Int32] = [0]
    try set.read(
      0..<1, normalisation: Normalisation(mean: means, deviation: deviations), images: &images, labels: &labels)
    #expect(labels == [4])
    for channel in 0..<3 {
      for byte in 0...255 {
        let value = images[channel * 256 + byte]
        #expect(
          value == Self.expected(UInt8(byte), mean: means[channel], deviation: deviations[channel]),
          "\(channel) \(byte)")
        let exact = (Double(byte) / 255 - means[channel]) / deviations[channel]
        #expect(abs(Double(value) - exact) <= 4e-7 * max(1, abs(exact)))
      }
    }
  }

  /// A byte gives the same bits wherever a slice starts and ends (numerics contract, rule 10).
  @Test func bitsDoNotDependOnTheSlice() {
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let whole = convert(bytes[...])
    for start in 0..<70 {
      for end in start..<200 where (end - start) % 7 < 2 || end - start < 40 {
        #expect(convert(bytes[start..<end]).elementsEqual(whole[start..<end]))
      }
    }
    #expect(whole == bytes.map { Self.expected($0, mean: 0.2860, deviation: 0.3530) })
  }

  private func convert(_ bytes: ArraySlice<UInt8>) -> [Float] {
    let normalisation = Normalisation(mean: [0.2860], deviation: [0.3530])
    return [Float](unsafeUninitializedCapacity: bytes.count) { buffer, filled in
      bytes.withUnsafeBufferPointer { bytes in
        ck_normalise_bytes(
          buffer.baseAddress, bytes.baseAddress, bytes.count, normalisation.scale[0], normalisation.shift[0])
      }
      filled = bytes.count
    }
  }

  @Test func rangesOfASelectionAreReadInOrder() throws {
    let shape = ImageShape(channels: 1, height: 2, width: 3)
    let set = countingSet(30, shape: shape).selecting([7, 3, 29, 11, 0])
    let normalisation = Normalisation(mean: [0.5], deviation: [0.25])
    for first in 0...5 {
      for end in first...5 {
        let count = end - first
        var images = [Float](repeating: -1, count: count * 6 + 1)
        var labels = [Int32](repeating: -1, count: count + 1)
        var ids = [UInt32](repeating: 77, count: count + 1)
        try set.read(first..<end, normalisation: normalisation, images: &images, labels: &labels, ids: &ids)
        let pixels = (first..<end).flatMap { set.pixels(of: $0) }
        #expect(images == pixels.map { Self.expected($0, mean: 0.5, deviation: 0.25) } + [-1])
        #expect(labels == (first..<end).map { set.label(of: $0) } + [-1])
        #expect(ids == (first..<end).map { set.id(of: $0) } + [77])
      }
    }
  }
}
