/// Channels, height and width of an image; its bytes and floats lie in this order, row-major.
public struct ImageShape: Sendable, Hashable, CustomStringConvertible {
  public let channels: Int
  public let height: Int
  public let width: Int

  public init(channels: Int, height: Int, width: Int) {
    precondition(channels >= 1 && height >= 1 && width >= 1, "an image of \(channels)x\(height)x\(width)")
    self.channels = channels
    self.height = height
    self.width = width
  }

  /// Reads `CxHxW`, as `3x32x32`; nil for anything else and for extents outside 1…65,536.
  public init?(parsing text: String) {
    let extents = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard extents.count == 3, extents.allSatisfy({ (1...65_536).contains($0) }) else { return nil }
    self.init(channels: extents[0], height: extents[1], width: extents[2])
  }

  /// Elements of one channel.
  public var planeCount: Int { height * width }
  /// Elements of an image.
  public var elementCount: Int { channels * height * width }
  public var description: String { "\(channels)x\(height)x\(width)" }
}
