import CZlib

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The bytes of one file in order, inflated on the way where the file is gzip and that is allowed.
///
/// Nothing is allocated from what the file claims: `maximumByteCount` bounds what it can hold at all (deflate expands
/// at most 1,032 times), and `read(exactly:what:)` grows its result as bytes arrive.
final class ByteSource {
  let path: String
  /// Bytes on disk.
  let fileSize: Int
  private let descriptor: Int32
  private var position = 0
  private var inflater: GzipInflater?
  private let observe: ReadingObserver

  /// Deflate's largest expansion: 258 bytes for two bits.
  static let largestExpansion = 1032
  static let chunkSize = 256 << 10

  var isCompressed: Bool { inflater != nil }

  /// The most bytes that `read` can deliver.
  var maximumByteCount: Int {
    guard isCompressed else { return fileSize }
    let (product, overflow) = fileSize.multipliedReportingOverflow(by: Self.largestExpansion)
    return overflow ? .max : product
  }

  /// Opens a regular file that is not empty; `allowsGzip` recognises gzip by its first two bytes, whatever the name.
  init(path: String, allowsGzip: Bool, observe: @escaping ReadingObserver = { _ in }) throws {
    observe(path)
    // Opened without blocking, so that a named pipe in the place of a file is refused and not waited for.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw DataError("\(path) cannot be opened: \(Self.systemError(errno)).")
    }
    do {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else {
        throw DataError("\(path) cannot be examined: \(Self.systemError(errno)).")
      }
      switch status.st_mode & S_IFMT {
      case S_IFREG: break
      case S_IFDIR: throw DataError("\(path) is a directory; a data file is expected there.")
      default: throw DataError("\(path) is not a regular file; a data file is expected there.")
      }
      guard status.st_size > 0 else { throw DataError("\(path) is empty; fetch it again.") }
      self.path = path
      self.observe = observe
      self.fileSize = Int(status.st_size)
      self.descriptor = descriptor
      if allowsGzip {
        var magic: (UInt8, UInt8) = (0, 0)
        let count = withUnsafeMutableBytes(of: &magic) { pread(descriptor, $0.baseAddress, 2, 0) }
        if count == 2, magic == (0x1f, 0x8b) { inflater = GzipInflater() }
      }
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Fills the buffer as far as bytes are left; returns how many were put there, 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var filled = 0
    while filled < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      let count = try inflater.map { try $0.read(into: rest, from: self) } ?? readFile(into: rest)
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// The next `count` bytes. `what` names them in the error for a file that ends before.
  ///
  /// The result grows as data arrives, so a lying header costs no more memory than three times what the file holds.
  func read(exactly count: Int, what: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    // A plain file's size is known, so its bytes are placed once.
    if count <= fileSize { bytes.reserveCapacity(count) }
    var chunk = [UInt8](repeating: 0, count: min(count, Self.chunkSize))
    while bytes.count < count {
      let wanted = min(count - bytes.count, chunk.count)
      let filled = try chunk.withUnsafeMutableBytes { try read(into: .init(rebasing: $0[..<wanted])) }
      if bytes.count + filled > bytes.capacity { bytes.reserveCapacity(min(count, 2 * bytes.count + filled)) }
      bytes.append(contentsOf: chunk[..<filled])
      guard filled == wanted else {
        throw DataError(
          "\(path) is truncated: its \(what) end after \(bytes.count) of \(count) bytes. Fetch it again.")
      }
    }
    return bytes
  }

  /// Throws unless every byte has been read, which for gzip also checks length and CRC of the last member.
  func expectEnd(after what: String) throws {
    var byte: UInt8 = 0
    let count = try withUnsafeMutableBytes(of: &byte) { try read(into: $0) }
    if count != 0 {
      throw DataError("\(path) goes on after its \(what): it is damaged or of another format. Fetch it again.")
    }
  }

  /// Bytes as they lie in the file; 0 at its end.
  fileprivate func readFile(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(position))
      if count >= 0 {
        position += count
        observe(path)
        return count
      }
      if errno != EINTR { throw DataError("\(path) cannot be read: \(Self.systemError(errno)).") }
    }
  }

  private static func systemError(_ code: Int32) -> String {
    String(cString: strerror(code)).lowercased()
  }
}

/// A gzip stream being inflated; several members one after another are one stream, as in gzip(1).
private final class GzipInflater {
  // zlib keeps a pointer back to this structure, so it must not move: it has an allocation of its own, freed in deinit.
  private let stream: UnsafeMutablePointer<z_stream>
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  private var isAtEnd = false

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 bits of window, +16: gzip only, whose CRC and length zlib checks.
    let status = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib \(ZLIB_VERSION) does not initialise: \(status)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  /// Inflates at least one byte into a buffer that is not empty; 0 at the end of the last member.
  func read(into buffer: UnsafeMutableRawBufferPointer, from source: ByteSource) throws -> Int {
    // zlib counts in 32 bits.
    let room = min(buffer.count, 1 << 30)
    stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(room)
    while !isAtEnd {
      if stream.pointee.avail_in == 0 {
        let count = try source.readFile(into: input)
        guard count > 0 else {
          throw DataError("\(source.path) is truncated: its gzip stream has no end. Fetch it again.")
        }
        stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(count)
      }
      switch inflate(stream, Z_NO_FLUSH) {
      case Z_OK, Z_BUF_ERROR: break
      case Z_STREAM_END: try beginNextMember(of: source)
      default:
        let reason = stream.pointee.msg.map { String(cString: $0) } ?? "unexpected data"
        throw DataError("\(source.path) is damaged: zlib reports “\(reason)”. Fetch it again.")
      }
      let written = room - Int(stream.pointee.avail_out)
      if written > 0 { return written }
    }
    return 0
  }

  /// At a member's end: ready for another if there are more bytes. What follows and is not gzip, `inflate` refuses.
  private func beginNextMember(of source: ByteSource) throws {
    if stream.pointee.avail_in == 0 {
      let count = try source.readFile(into: input)
      stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_in = UInt32(count)
    }
    if stream.pointee.avail_in == 0 { isAtEnd = true } else { inflateReset(stream) }
  }
}
