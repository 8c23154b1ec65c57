import Determinism

/// A random change of a training image that keeps its shape: data augmentation.
///
/// Each is a function of (seed, epoch, sample id), by a stream of the map's own name. So a sample is changed alike
/// whichever shard, rank or thread reads it, and a resumed run goes on with the same images.
public enum ImageMap: Sendable, Hashable {
  /// Surrounds the image with `padding` zero bytes on each side and cuts a window of its own size out of that, every
  /// place equally likely (He et al., "Deep residual learning for image recognition", 2015, section 4.2: padding 4).
  case randomCrop(padding: Int)
  /// Mirrors the image left to right with probability one half.
  case horizontalFlip

  var purpose: String {
    switch self {
    case .randomCrop: "augment/random-crop"
    case .horizontalFlip: "augment/horizontal-flip"
    }
  }
}

/// Image maps applied one after another, with the seed that drives them.
public struct Augmentation: Sendable {
  public let maps: [ImageMap]
  private let streams: [RandomStream]

  /// No augmentation, the default everywhere.
  public static let none = Augmentation([], seed: 0)

  /// Maps in the order in which they act; each kind at most once, because a second would repeat the first one's draws.
  public init(_ maps: [ImageMap], seed: UInt64) {
    precondition(Set(maps.map(\.purpose)).count == maps.count, "an image map is listed twice")
    self.maps = maps
    streams = maps.map { RandomStream(seed: seed, purpose: $0.purpose) }
  }

  /// Changes one image in place; `scratch` is overwritten and has room for an image.
  package func apply(
    _ pixels: UnsafeMutableBufferPointer<UInt8>, scratch: UnsafeMutableBufferPointer<UInt8>, shape: ImageShape,
    id: UInt32, epoch: Int
  ) {
    for (map, stream) in zip(maps, streams) {
      let words = stream.words(block: 0, sample: id, epoch: UInt32(truncatingIfNeeded: epoch))
      switch map {
      case .randomCrop(let padding):
        let offsets = UInt32(2 * padding + 1)
        let down = Int(words.x.multipliedFullWidth(by: offsets).high) - padding
        let right = Int(words.y.multipliedFullWidth(by: offsets).high) - padding
        if down != 0 || right != 0 {
          _ = scratch.update(fromContentsOf: pixels)
          translate(scratch, by: (down, right), shape: shape, into: pixels)
        }
      case .horizontalFlip:
        if words.x >> 31 == 1 { mirror(pixels, width: shape.width) }
      }
    }
  }
}

/// target[y][x] = source[y + down][x + right], 0 where that lies outside.
private func translate(
  _ source: UnsafeMutableBufferPointer<UInt8>, by offset: (down: Int, right: Int), shape: ImageShape,
  into target: UnsafeMutableBufferPointer<UInt8>
) {
  target.update(repeating: 0)
  let columns = max(0, -offset.right)..<max(0, -offset.right, min(shape.width, shape.width - offset.right))
  guard !columns.isEmpty else { return }
  for channel in 0..<shape.channels {
    for y in max(0, -offset.down)..<max(0, -offset.down, min(shape.height, shape.height - offset.down)) {
      let row = (channel * shape.height + y) * shape.width
      let from = row + offset.down * shape.width + offset.right
      _ = target.extracting(row + columns.lowerBound..<row + columns.upperBound).update(
        fromContentsOf: source.extracting(from + columns.lowerBound..<from + columns.upperBound))
    }
  }
}

/// Reverses every row of `width` bytes.
private func mirror(_ pixels: UnsafeMutableBufferPointer<UInt8>, width: Int) {
  for row in stride(from: 0, to: pixels.count, by: width) {
    var rowPixels = pixels.extracting(row..<row + width)
    rowPixels.reverse()
  }
}
