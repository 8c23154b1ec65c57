import Datasets
import Testing

@Suite struct ImageMapTests {
  let shape = ImageShape(channels: 2, height: 5, width: 4)

  /// Every byte different and none zero, so that a shifted image tells its shift.
  private var original: [UInt8] { (1...40).map { UInt8($0) } }

  private func applied(_ augmentation: Augmentation, id: UInt32, epoch: Int) -> [UInt8] {
    var pixels = original
    var scratch = [UInt8](repeating: 99, count: pixels.count)
    pixels.withUnsafeMutableBufferPointer { pixels in
      scratch.withUnsafeMutableBufferPointer { scratch in
        augmentation.apply(pixels, scratch: scratch, shape: shape, id: id, epoch: epoch)
      }
    }
    return pixels
  }

  /// The definition: the window at (down, right) of the image surrounded by zeros.
  private func window(down: Int, right: Int) -> [UInt8] {
    var result: [UInt8] = []
    for channel in 0..<2 {
      for y in 0..<5 {
        for x in 0..<4 {
          let inside = (0..<5).contains(y + down) && (0..<4).contains(x + right)
          result.append(inside ? original[(channel * 5 + y + down) * 4 + x + right] : 0)
        }
      }
    }
    return result
  }

  private var mirrored: [UInt8] {
    stride(from: 0, to: 40, by: 4).flatMap { original[$0..<$0 + 4].reversed() }
  }

  /// Paddings beyond the image's own extents included: then the window may be empty.
  @Test(arguments: [0, 1, 2, 3, 6])
  func cropsAreWindowsEachEquallyLikely(padding: Int) {
    let augmentation = Augmentation([.randomCrop(padding: padding)], seed: 5)
    let side = 2 * padding + 1
    var times: [[UInt8]: Int] = [:]
    let draws = 200 * side * side
    for draw in 0..<draws { times[applied(augmentation, id: UInt32(draw / 3), epoch: draw % 3), default: 0] += 1 }
    var expected: [[UInt8]: Int] = [:]
    for down in -padding...padding {
      for right in -padding...padding { expected[window(down: down, right: right), default: 0] += 200 }
    }
    #expect(Set(times.keys) == Set(expected.keys))
    let chiSquared = expected.reduce(0.0) { sum, cell in
      let difference = Double((times[cell.key] ?? 0) - cell.value)
      return sum + difference * difference / Double(cell.value)
    }
    let degrees = Double(expected.count - 1)
    #expect(chiSquared <= degrees + 5 * (2 * degrees).squareRoot())
  }

  @Test func everySecondImageIsMirrored() {
    let augmentation = Augmentation([.horizontalFlip], seed: 5)
    var flipped = 0
    for id in 0..<10_000 as Range<UInt32> {
      let image = applied(augmentation, id: id, epoch: 2)
      if image == mirrored { flipped += 1 } else { #expect(image == original) }
    }
    #expect(abs(flipped - 5_000) < 250)
  }

  @Test func mapsActInOrderAndIndependently() {
    let crop = Augmentation([.randomCrop(padding: 1)], seed: 8)
    let flip = Augmentation([.horizontalFlip], seed: 8)
    let both = Augmentation([.randomCrop(padding: 1), .horizontalFlip], seed: 8)
    var together = 0
    for id in 0..<2_000 as Range<UInt32> {
      let cropped = applied(crop, id: id, epoch: 0)
      let isFlipped = applied(flip, id: id, epoch: 0) == mirrored
      let expected = isFlipped ? stride(from: 0, to: 40, by: 4).flatMap { cropped[$0..<$0 + 4].reversed() } : cropped
      #expect(applied(both, id: id, epoch: 0) == expected)
      if isFlipped, cropped == original { together += 1 }
    }
    // One ninth of a half, so the two draws do not hang together.
    #expect(abs(together - 111) < 55)
  }

  @Test func sampleEpochAndSeedEachChangeTheDraw() {
    func draws(seed: UInt64, epoch: Int, first: UInt32) -> [[UInt8]] {
      let augmentation = Augmentation([.randomCrop(padding: 2), .horizontalFlip], seed: seed)
      return (first..<first + 20).map { applied(augmentation, id: $0, epoch: epoch) }
    }
    let base = draws(seed: 1, epoch: 0, first: 0)
    #expect(base == draws(seed: 1, epoch: 0, first: 0))
    #expect(base != draws(seed: 2, epoch: 0, first: 0))
    #expect(base != draws(seed: 1, epoch: 1, first: 0))
    #expect(base != draws(seed: 1, epoch: 0, first: 20))
    #expect(applied(.none, id: 3, epoch: 1) == original)
  }
}
