/// A tensor whose values are produced piece by piece when asked for: what a writer or a digest consumes.
///
/// A state hands out one source for each of its tensors; neither a file nor a digest ever needs all values in memory at
/// once, nor a second copy in the standard layout. A source may be consumed any number of times.
public struct TensorSource {
  public let description: TensorDescription
  private let produce: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void

  /// An F32 tensor. `produce` calls its argument with consecutive pieces, in row-major order, that together have as
  /// many elements as the shape.
  public init(
    name: String, shape: [Int],
    produce: @escaping (_ emit: (UnsafeBufferPointer<Float>) throws -> Void) throws -> Void
  ) {
    description = TensorDescription(name: name, type: .f32, shape: shape)
    self.produce = { emit in try produce { try emit(UnsafeRawBufferPointer($0)) } }
  }

  /// An F32 tensor of given values.
  public init(name: String, shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for the shape \(shape) of \(name)")
    self.init(name: name, shape: shape) { emit in try values.withUnsafeBufferPointer(emit) }
  }

  /// An I64 tensor of given values.
  public init(name: String, shape: [Int], integers: [Int64]) {
    precondition(integers.count == shape.reduce(1, *), "\(integers.count) values for the shape \(shape) of \(name)")
    description = TensorDescription(name: name, type: .i64, shape: shape)
    produce = { emit in try integers.withUnsafeBytes(emit) }
  }

  /// Calls `body` with the tensor's bytes, little-endian, in consecutive pieces.
  public func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var count = 0
    try produce { piece in
      count += piece.count
      try body(piece)
    }
    precondition(count == description.byteCount, "\(count) bytes were produced for \(description)")
  }
}
