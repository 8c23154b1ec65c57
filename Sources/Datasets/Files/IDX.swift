/// An IDX file of unsigned bytes: extents of its axes and its elements, row-major.
///
/// Format (MNIST's): two zero bytes, the element type (0x08: unsigned byte), the number of axes, each axis's extent as
/// a big-endian 32-bit number, the elements. Plain or gzip, whichever the first bytes say.
public struct IDXFile: Sendable {
  public let path: String
  public let extents: [Int]
  public let elements: [UInt8]

  /// Reads a file of `axes` axes; every extent must be at least one.
  ///
  /// The declared size is compared with the file before memory is taken for it. Throws `DataError`.
  public init(path: String, axes: Int, observe: @escaping ReadingObserver = { _ in }) throws {
    precondition(axes >= 1 && axes <= 255)
    let source = try ByteSource(path: path, allowsGzip: true, observe: observe)
    let magic = try source.read(exactly: 4, what: "header")
    let expected = "0x0000080\(axes)"
    guard magic[0] == 0, magic[1] == 0 else {
      throw DataError("\(path) is not an IDX file: it begins with \(hex(magic)), not with \(expected).")
    }
    guard magic[2] == 0x08 else {
      throw DataError(
        "\(path) holds IDX elements of type \(hex([magic[2]])); only unsigned bytes (0x08) are read here.")
    }
    guard magic[3] == axes else {
      throw DataError(
        "\(path) has \(magic[3]) \(magic[3] == 1 ? "axis" : "axes") where \(axes) \(axes == 1 ? "is" : "are") expected: "
          + "are the files of images and labels interchanged?")
    }
    let header = try source.read(exactly: 4 * axes, what: "header")
    let extents = (0..<axes).map { axis in
      header[4 * axis..<4 * axis + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    let shape = extents.map(String.init).joined(separator: "×")
    if extents.contains(0) { throw DataError("\(path) declares \(shape) elements: it holds no sample.") }

    let headerSize = 4 + 4 * axes
    var size = 1
    for extent in extents {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      size = overflow || product > Int.max - headerSize ? .max - headerSize : product
    }
    if source.isCompressed {
      guard size + headerSize <= source.maximumByteCount else {
        throw DataError(
          "\(path) declares \(shape) elements, more than \(source.fileSize) bytes of gzip can hold "
            + "(\(ByteSource.largestExpansion) for one at most): it is damaged. Fetch it again.")
      }
    } else {
      guard size + headerSize == source.fileSize else {
        throw DataError(
          "\(path) is \(size + headerSize > source.fileSize ? "truncated" : "too long"): it declares \(shape) elements "
            + "after \(headerSize) bytes of header, and has \(source.fileSize) bytes. Fetch it again.")
      }
    }
    self.path = path
    self.extents = extents
    self.elements = try source.read(exactly: size, what: "elements")
    try source.expectEnd(after: "\(shape) elements")
  }
}

private func hex(_ bytes: [UInt8]) -> String {
  "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
}
