import CKernels

/// A message of few elements: how many there are, as 32 bits, their indices, as 32 bits each, ascending, and their values.
/// Where they are all of the tensor's there are no indices.
enum SparseMessage {
  static let header = MemoryLayout<UInt32>.size

  static func bytes(of kept: Int, in tensor: CodecTensor) -> Int {
    header + (kept == tensor.count ? 4 : 8) * kept
  }

  /// Where to list the indices of a message, before `write`.
  static func indices(_ message: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt32> {
    (message + header).assumingMemoryBound(to: UInt32.self)
  }

  /// Completes a message whose indices are listed: its elements move there, and become 0.
  static func write(
    _ kept: Int, of tensor: CodecTensor, from values: UnsafeMutablePointer<Float>, into message: UnsafeMutableRawPointer
  ) -> Int {
    if kept == tensor.count { return writeAll(of: tensor, from: values, into: message) }
    message.storeBytes(of: UInt32(kept), as: UInt32.self)
    ck_take(values, indices(message), kept, message + header + 4 * kept)
    return bytes(of: kept, in: tensor)
  }

  /// Writes a message of all elements, which become 0.
  static func writeAll(
    of tensor: CodecTensor, from values: UnsafeMutablePointer<Float>, into message: UnsafeMutableRawPointer
  ) -> Int {
    message.storeBytes(of: UInt32(tensor.count), as: UInt32.self)
    (message + header).copyMemory(from: values, byteCount: 4 * tensor.count)
    values.update(repeating: 0, count: tensor.count)
    return bytes(of: tensor.count, in: tensor)
  }

  static func add(_ message: UnsafeRawBufferPointer, of tensor: CodecTensor, to sum: UnsafeMutablePointer<Float>) {
    precondition(message.count >= header, "the message of \(tensor.name) has \(message.count) bytes")
    guard let start = message.baseAddress else { return }
    let kept = Int(start.loadUnaligned(as: UInt32.self))
    precondition(
      kept <= tensor.count && message.count == bytes(of: kept, in: tensor),
      "the message of \(tensor.name) has \(message.count) bytes for \(kept) elements")
    if kept == tensor.count {
      for index in 0..<kept { sum[index] += start.loadUnaligned(fromByteOffset: header + 4 * index, as: Float.self) }
    } else {
      let isInside = ck_scatter_add(sum, tensor.count, start + header, start + header + 4 * kept, kept)
      precondition(isInside != 0, "the message of \(tensor.name) has an index beyond \(tensor.count) elements")
    }
  }
}
