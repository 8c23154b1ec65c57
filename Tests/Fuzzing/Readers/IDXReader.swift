import CZlib
import Datasets

extension FuzzedReader {
  /// Reads an IDX file, plain or in gzip; the first byte's last bits choose how many axes are asked for.
  static let idx = FuzzedReader(
    name: "idx", seeds: plain + plain.map(gzip) + [gzip(plain[0]) + gzip([1, 2, 3]), gzip(plain[0]) + [0]],
    words: words,
    // The elements grow by doubling; beside them are two buffers of a chunk and zlib's tables.
    allowance: { 4 * max($0.count, inflatedSize($0)) + (512 << 10) }
  ) { input, _ in try read(input) }

  /// The same of a gzip file whose stream is sound, so that mutations are of what is in it.
  static let idxInGzip = FuzzedReader(
    name: "idx-in-gzip", seeds: plain, words: words, allowance: { 4 * $0.count + (512 << 10) }
  ) { input, bytes in
    input.fill(gzip(bytes))
    try read(input)
  }

  private static func read(_ input: InputFile) throws {
    // One of the three is right at most.
    var failure: (any Error)?
    for axes in 1...3 {
      do {
        let file = try IDXFile(path: input.path, axes: axes)
        precondition(file.elements.count == file.extents.reduce(1, *) && file.extents.count == axes)
        return
      } catch { failure = error }
    }
    throw failure!
  }

  private static let plain: [[UInt8]] = [
    [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3] + (0..<12),
    [0, 0, 8, 1, 0, 0, 0, 5, 1, 2, 3, 4, 5],
    [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
    [0, 0, 8, 2, 0, 1, 0, 0, 0, 1, 0, 0, 7],
    [0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0],
  ]
  private static let words = ["\0\0\u{8}\u{1}", "\0\0\u{8}\u{3}", "\0\0\0\u{1}", "\u{1f}", "\0\0\0\0"]
}

/// A gzip file of bytes. In blocks that are stored, not compressed: what matters is whether a stream is sound.
func gzip(_ bytes: [UInt8]) -> [UInt8] {
  var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]
  var start = 0
  repeat {
    let size = min(bytes.count - start, 65535)
    out.append(start + size == bytes.count ? 1 : 0)
    for word in [size, ~size] { out += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8)] }
    out += bytes[start..<start + size]
    start += size
  } while start < bytes.count
  for word in [Int(crc32(0, bytes, UInt32(bytes.count))), bytes.count] {
    out += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
  }
  return out
}

/// The bytes that zlib gets out of a gzip file before its end or its first mistake; 0 for a file of another kind.
func inflatedSize(_ bytes: [UInt8]) -> Int {
  guard bytes.starts(with: [0x1f, 0x8b]) else { return 0 }
  var stream = z_stream()
  guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return 0 }
  defer { inflateEnd(&stream) }
  var (input, output) = (bytes, [UInt8](repeating: 0, count: 1 << 16))
  var total = 0
  input.withUnsafeMutableBufferPointer { input in
    stream.next_in = input.baseAddress
    stream.avail_in = UInt32(input.count)
    output.withUnsafeMutableBufferPointer { output in
      while true {
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        let status = inflate(&stream, Z_NO_FLUSH)
        let size = output.count - Int(stream.avail_out)
        total += size
        if status == Z_STREAM_END && stream.avail_in > 0 {
          inflateReset(&stream)
        } else if status != Z_OK || size == 0 {
          return
        }
      }
    }
  }
  return total
}
