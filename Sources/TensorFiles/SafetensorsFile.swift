import Glibc

/// A safetensors file open for reading, its header validated, its tensors read one by one on request.
///
/// Opening reads the header only and checks everything in it against the size of the file before any memory for a
/// tensor is needed, so a reader can size its buffers by what it finds. Reading is by `pread`: several threads may read
/// at once, and a file that is cut short meanwhile is an error, not a signal.
public struct SafetensorsFile: ~Copyable, Sendable {
  public let path: String
  private let header: SafetensorsHeader
  private let indexByName: [String: Int]
  private let descriptor: FileDescriptor

  /// Opens a file and validates its header.
  /// - Throws: `.cannotRead`, or `.malformed` with the first rule that is broken.
  public init(path: String) throws(TensorFileError) {
    let descriptor = try FileDescriptor(reading: path)
    let fileSize = try descriptor.size()
    guard fileSize >= 8 else {
      throw .malformed(path, "it has \(fileSize) bytes, too few for a safetensors file")
    }
    var word: UInt64 = 0
    try withUnsafeMutableBytes(of: &word) { (bytes) throws(TensorFileError) in try descriptor.read(into: bytes, at: 0) }
    let length = UInt64(littleEndian: word)
    guard length <= SafetensorsHeader.greatestLength else {
      throw .malformed(path, "it says that its header has \(length) bytes, so it is not a safetensors file")
    }
    guard Int(length) <= fileSize - 8 else {
      throw .malformed(path, "it says that its header has \(length) bytes, but it ends after \(fileSize) bytes")
    }
    var json = [UInt8](repeating: 0, count: Int(length))
    try json.withUnsafeMutableBufferPointer { (buffer) throws(TensorFileError) in
      try descriptor.read(into: UnsafeMutableRawBufferPointer(buffer), at: 8)
    }
    header = try SafetensorsHeader(json: json, fileSize: fileSize, path: path)
    indexByName = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.tensor.name, $0) })
    self.path = path
    self.descriptor = descriptor
  }

  /// The texts under `__metadata__`.
  public var metadata: [String: String] { header.metadata }

  /// Every tensor of the file, in the order of names (by code points).
  public var tensors: [TensorDescription] { header.tensors.map(\.tensor) }

  /// The tensor of a name, or nil.
  public func tensor(named name: String) -> TensorDescription? {
    indexByName[name].map { header.tensors[$0].tensor }
  }

  /// The tensor of a name, of the shape that the caller needs.
  /// - Throws: `.doesNotFit` where the name is missing or the shape another.
  @discardableResult
  public func tensor(named name: String, shape: [Int]) throws(TensorFileError) -> TensorDescription {
    let found = try placed(name).tensor
    guard found.shape == shape else {
      throw TensorFileError(
        .doesNotFit, path, "tensor \(quoted(name)) has the shape \(brief(found.shape)) where \(shape) is needed",
        "give the file of a matching model, or skip this tensor")
    }
    return found
  }

  func placed(_ name: String) throws(TensorFileError) -> SafetensorsHeader.Placed {
    guard let index = indexByName[name] else {
      throw TensorFileError(
        .doesNotFit, path, "there is no tensor \(quoted(name)) among its \(header.tensors.count)",
        "give the file of a matching model, or skip this tensor")
    }
    return header.tensors[index]
  }

  /// Fills memory with bytes of the file from an offset on.
  func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(TensorFileError) {
    try descriptor.read(into: bytes, at: offset)
  }
}
