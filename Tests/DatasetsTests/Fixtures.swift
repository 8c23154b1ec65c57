import CZlib
import Datasets
import Foundation
import Testing

/// A directory of its own that vanishes with the value's owner.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "datasets-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    if name.contains("/") {
      let directory = (file as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }
    let handle = try #require(fopen(file, "w"))
    defer { fclose(handle) }
    try #require(fwrite(bytes, 1, bytes.count, handle) == bytes.count)
    return file
  }
}

/// An IDX file's bytes.
func idx(_ extents: [Int], _ elements: [UInt8], type: UInt8 = 8) -> [UInt8] {
  [0, 0, type, UInt8(extents.count)]
    + extents.flatMap { extent in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: extent >> $0) } } + elements
}

/// One gzip member.
func gzip(_ bytes: [UInt8]) -> [UInt8] {
  var stream = z_stream()
  precondition(
    deflateInit2_(
      &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
      == Z_OK)
  defer { deflateEnd(&stream) }
  var input = bytes
  var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
  let size = output.count
  input.withUnsafeMutableBufferPointer { input in
    output.withUnsafeMutableBufferPointer { output in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(size)
      precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END)
    }
  }
  return Array(output[..<(size - Int(stream.avail_out))])
}

/// A set in which every byte tells sample and element, and labels count round.
func countingSet(_ count: Int, shape: ImageShape, classes: Int = 10) -> ImageSet {
  ImageSet(
    shape: shape,
    pixels: (0..<count * shape.elementCount).map {
      UInt8(truncatingIfNeeded: $0 / shape.elementCount * 31 + $0 % shape.elementCount)
    }, labels: (0..<count).map { Int32($0 % classes) })
}
