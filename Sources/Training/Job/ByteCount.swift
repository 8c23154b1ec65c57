/// A number of bytes as people write it.
public struct ByteCount: Sendable, Hashable {
  public let value: Int

  public init?(_ text: String) {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)]
    for (unit, factor) in units where text.hasSuffix(unit) {
      guard let number = Double(text.dropLast(unit.count)), number >= 0, number * Double(factor) < 0x1p62 else {
        return nil
      }
      value = Int(number * Double(factor))
      return
    }
    return nil
  }

  public init(_ value: Int) { self.value = value }

  public var text: String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    where value >= factor && value % factor == 0 {
      return "\(value / factor)\(unit)"
    }
    return "\(value)B"
  }
}
