/// The SHA-256 of named tensors: one value that two runs can compare.
///
/// Hashed is this byte stream, so that anyone can recompute it (`Tests/References/tensors_digest.py` does in ten lines):
/// for each tensor, in the order of names (by code points),
///
///     length of the name in UTF-8 bytes        u64
///     the name                                 UTF-8
///     length of the element type's name        u64
///     the element type as safetensors has it   "F32" or "I64"
///     number of dimensions                     u64
///     each extent                              u64
///     the elements, row-major                  as in a safetensors file
///
/// all integers little-endian. Every field says or implies its length, so two different sets of tensors never give the
/// same stream.
/// - Throws: what a source throws.
public func tensorsDigest(_ sources: [TensorSource]) throws -> SHA256.Digest {
  var hash = SHA256()
  for source in sources.sorted(by: { precedes($0.description.name, $1.description.name) }) {
    let tensor = source.description
    hash.update(text: tensor.name)
    hash.update(text: tensor.type.rawValue)
    hash.update(integer: tensor.shape.count)
    for extent in tensor.shape { hash.update(integer: extent) }
    try source.forEachPiece { hash.update($0) }
  }
  return hash.finish()
}

extension SHA256 {
  fileprivate mutating func update(integer: Int) {
    withUnsafeBytes(of: UInt64(integer).littleEndian) { update($0) }
  }

  fileprivate mutating func update(text: String) {
    update(integer: text.utf8.count)
    Array(text.utf8).withUnsafeBytes { update($0) }
  }
}
