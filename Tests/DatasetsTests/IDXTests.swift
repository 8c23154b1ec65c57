import Datasets
import Foundation
import Testing

@Suite struct IDXTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func plainAndGzipReadAlike() throws {
    for extents in [[1], [3, 2, 2], [5, 1, 7], [2, 3, 4, 5], [1000, 28, 28]] {
      let elements = (0..<extents.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 >> 8) }
      let bytes = idx(extents, elements)
      // Several members one after another are one gzip stream.
      let cut = bytes.count / 3
      let variants = [bytes, gzip(bytes), gzip(Array(bytes[..<cut])) + gzip([]) + gzip(Array(bytes[cut...]))]
      for (number, variant) in variants.enumerated() {
        let file = try IDXFile(path: directory.write("\(number)", variant), axes: extents.count)
        #expect(file.extents == extents)
        #expect(file.elements == elements)
      }
    }
  }

  /// What is wrong with a file of 2×2×3 elements, and the sentence about it (after the path).
  @Test(
    arguments: [
      ([], " is empty; fetch it again."),
      ([0, 0], " is truncated: its header end after 2 of 4 bytes. Fetch it again."),
      ([0x89, 0x50, 0x4e, 0x47, 1], " is not an IDX file: it begins with 0x89504E47, not with 0x00000803."),
      (
        idx([2, 2, 3], .init(repeating: 1, count: 12), type: 0x0d),
        " holds IDX elements of type 0x0D; only unsigned bytes (0x08) are read here."
      ),
      (
        idx([2], [1, 2]),
        " has 1 axis where 3 are expected: are the files of images and labels interchanged?"
      ),
      (
        idx([2, 2, 3, 1], .init(repeating: 1, count: 12)),
        " has 4 axes where 3 are expected: are the files of images and labels interchanged?"
      ),
      (Array(idx([2, 2, 3], [])[..<9]), " is truncated: its header end after 5 of 12 bytes. Fetch it again."),
      (idx([2, 0, 3], []), " declares 2×0×3 elements: it holds no sample."),
      (
        idx([2, 2, 3], .init(repeating: 1, count: 11)),
        " is truncated: it declares 2×2×3 elements after 16 bytes of header, and has 27 bytes. Fetch it again."
      ),
      (
        idx([2, 2, 3], .init(repeating: 1, count: 13)),
        " is too long: it declares 2×2×3 elements after 16 bytes of header, and has 29 bytes. Fetch it again."
      ),
      (
        idx([0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [1]),
        " is truncated: it declares 4294967295×4294967295×4294967295 elements after 16 bytes of header, and has 17 bytes. "
          + "Fetch it again."
      ),
    ] as [([UInt8], String)])
  func damagedPlainFiles(bytes: [UInt8], sentence: String) throws {
    try expectError(bytes, sentence)
  }

  @Test func damagedGzipFiles() throws {
    let good = idx([2, 20, 30], (0..<1200).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) })
    let packed = gzip(good)
    try expectError(
      gzip(Array(good.dropLast())), " is truncated: its elements end after 1199 of 1200 bytes. Fetch it again.")
    try expectError(
      gzip(good + [0]),
      " goes on after its 2×20×30 elements: it is damaged or of another format. Fetch it again.")
    try expectError(
      Array(packed.dropLast(9)), " is truncated: its gzip stream has no end. Fetch it again.")
    try expectError([0x1f, 0x8b], " is truncated: its gzip stream has no end. Fetch it again.")
    var wrong = packed
    wrong[wrong.count - 6] ^= 1
    try expectError(wrong, " is damaged: zlib reports “incorrect data check”. Fetch it again.")
    wrong = packed
    wrong[wrong.count - 1] ^= 1
    try expectError(wrong, " is damaged: zlib reports “incorrect length check”. Fetch it again.")
    wrong = packed
    wrong[2] = 9
    try expectError(wrong, " is damaged: zlib reports “unknown compression method”. Fetch it again.")
    try expectError(packed + [1, 2, 3, 4], " is damaged: zlib reports “incorrect header check”. Fetch it again.")
    try expectError(packed + [0x1f], " is truncated: its gzip stream has no end. Fetch it again.")
    try expectError(
      gzip(idx([2], [1, 2])), " has 1 axis where 3 are expected: are the files of images and labels interchanged?")
  }

  @Test func everyPlaceAtWhichAFileMayEnd() throws {
    let good = idx([3, 4, 4], (0..<48).map { UInt8($0 * 5) })
    for bytes in [good, gzip(good)] {
      for count in 0..<bytes.count {
        let path = try directory.write("cut", Array(bytes[..<count]))
        #expect(error { try IDXFile(path: path, axes: 3) }?.hasPrefix(path) == true, "\(count) of \(bytes.count)")
      }
    }
  }

  /// Every byte of a gzip file changed in turn: nothing but the elements of the good file is ever delivered.
  @Test func everyChangedByteIsNoticedOrHarmless() throws {
    let elements = (0..<48).map { UInt8($0 * 5) }
    let packed = gzip(idx([3, 4, 4], elements))
    for place in packed.indices {
      for bit in 0..<8 as Range<UInt8> {
        var bytes = packed
        bytes[place] ^= 1 << bit
        if let file = try? IDXFile(path: directory.write("flipped", bytes), axes: 3) {
          #expect(file.elements == elements && file.extents == [3, 4, 4], "byte \(place) bit \(bit)")
        }
      }
    }
  }

  @Test func aBombIsRefusedByItsDeclaredSize() throws {
    let bytes = gzip(idx([60_000, 28, 28], [1, 2, 3]))
    try expectError(
      bytes,
      " declares 60000×28×28 elements, more than \(bytes.count) bytes of gzip can hold (1032 for one at most): it is "
        + "damaged. Fetch it again.")
    try expectError(
      gzip(idx([0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [])),
      " declares 4294967295×4294967295×4294967295 elements, more than \(gzip(idx([0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [])).count) bytes of gzip can hold (1032 "
        + "for one at most): it is damaged. Fetch it again.")
  }

  @Test func aBombThatInflatesForEverIsReadNoFurtherThanDeclared() throws {
    // 64 MiB of zeros behind a header that declares 12 elements.
    let bytes = gzip(idx([2, 2, 3], .init(repeating: 0, count: 64 << 20)))
    try expectError(bytes, " goes on after its 2×2×3 elements: it is damaged or of another format. Fetch it again.")
  }

  @Test func whatIsNoFile() throws {
    let path = directory.path
    #expect(error { try IDXFile(path: path, axes: 3) } == "\(path) is a directory; a data file is expected there.")
    #expect(
      error { try IDXFile(path: "\(path)/none", axes: 3) }
        == "\(path)/none cannot be opened: no such file or directory.")
    #expect(mkfifo("\(path)/pipe", 0o600) == 0)
    #expect(
      error { try IDXFile(path: "\(path)/pipe", axes: 3) }
        == "\(path)/pipe is not a regular file; a data file is expected there.")
    if geteuid() != 0 {
      let closed = try directory.write("closed", [1])
      #expect(chmod(closed, 0) == 0)
      #expect(error { try IDXFile(path: closed, axes: 3) } == "\(closed) cannot be opened: permission denied.")
    }
  }

  @Test func imagesAndLabelsMustBelongTogether() throws {
    let images = try directory.write("images", idx([3, 2, 2], .init(0..<12)))
    let two = try directory.write("two", idx([2], [0, 1]))
    #expect(
      error { try loadIDXImages(images: images, labels: two, classes: 10) }
        == "\(images) holds 3 images, but \(two) 2 labels: they do not belong together.")
    let high = try directory.write("high", idx([3], [0, 10, 3]))
    #expect(
      error { try loadIDXImages(images: images, labels: high, classes: 10) }
        == "\(high) gives sample 1 the label 10, but labels are 0…9: it is damaged or of another data set.")
    let labels = try directory.write("labels", idx([3], [0, 9, 3]))
    let set = try loadIDXImages(images: images, labels: labels, classes: 10)
    #expect(set.count == 3 && set.shape == ImageShape(channels: 1, height: 2, width: 2))
    #expect((0..<3).map { set.label(of: $0) } == [0, 9, 3] && set.pixels(of: 2) == [8, 9, 10, 11])
  }

  private func expectError(
    _ bytes: [UInt8], _ sentence: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let path = try directory.write("damaged", bytes)
    #expect(error { try IDXFile(path: path, axes: 3) } == path + sentence, sourceLocation: sourceLocation)
  }
}

/// The text of the `DataError` that `body` throws; nil if it throws none.
func error<Result>(_ body: () throws -> Result) -> String? {
  do {
    _ = try body()
    return nil
  } catch { return (error as? DataError)?.description ?? "another error: \(error)" }
}
