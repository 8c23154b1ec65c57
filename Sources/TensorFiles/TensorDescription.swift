/// Name, element type and shape of a tensor, without its values. Shape `[]` is a scalar.
public struct TensorDescription: Sendable, Hashable {
  public let name: String
  public let type: ElementType
  public let shape: [Int]

  /// The number of elements must fit an `Int`, and so must the number of bytes.
  public init(name: String, type: ElementType, shape: [Int]) {
    precondition(shape.allSatisfy { $0 >= 0 }, "tensor \(name) has a negative extent: \(shape)")
    self.name = name
    self.type = type
    self.shape = shape
  }

  /// The product of the shape's extents.
  public var count: Int { shape.reduce(1, *) }

  /// Bytes of all elements.
  public var byteCount: Int { count * type.size }
}

/// Whether name `a` stands before name `b` in the one order used for files and digests: by UTF-8 bytes, which is the
/// order of code points. (`String`'s own `<` compares normalised text.)
func precedes(_ a: String, _ b: String) -> Bool {
  a.utf8.lexicographicallyPrecedes(b.utf8)
}
