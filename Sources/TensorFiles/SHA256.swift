import CCrypto

/// SHA-256 (FIPS 180-4) of bytes that come in pieces, by OpenSSL's libcrypto.
public struct SHA256: ~Copyable {
  /// The 32 bytes of a finished hash; `description` is 64 lower-case hexadecimal digits.
  public struct Digest: Sendable, Hashable, CustomStringConvertible {
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) {
      precondition(bytes.count == 32, "\(bytes.count) bytes")
      self.bytes = bytes
    }

    public var description: String {
      let digits = Array("0123456789abcdef".utf8)
      return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
  }

  private let context: OpaquePointer

  public init() {
    // Fails only without memory or without the algorithm in the library: nothing a caller could answer.
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      fatalError("libcrypto has no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Adds bytes to the end of what is hashed.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    precondition(status == 1, "EVP_DigestUpdate")
  }

  /// The hash of all bytes added.
  public consuming func finish() -> Digest {
    var bytes = [UInt8](repeating: 0, count: 32)
    let status = EVP_DigestFinal_ex(context, &bytes, nil)
    precondition(status == 1, "EVP_DigestFinal_ex")
    return Digest(bytes: bytes)
  }

  /// The hash of one array.
  public static func hash(_ bytes: [UInt8]) -> Digest {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update($0) }
    return hash.finish()
  }

  /// The hash of a file, read piece by piece.
  ///
  /// - Parameter goesOn: called after each MiB.
  /// - Throws: `.cannotRead`.
  public static func hash(contentsOf path: String, goesOn: () -> Void = {}) throws(TensorFileError) -> Digest {
    let file = try FileDescriptor(reading: path)
    let size = try file.size()
    var piece = [UInt8](repeating: 0, count: min(size, 1 << 20))
    var hash = SHA256()
    var done = 0
    while done < size {
      let count = min(piece.count, size - done)
      try piece.withUnsafeMutableBufferPointer { (buffer) throws(TensorFileError) in
        let part = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
        try file.read(into: part, at: done)
        hash.update(UnsafeRawBufferPointer(part))
      }
      done += count
      goesOn()
    }
    return hash.finish()
  }
}
