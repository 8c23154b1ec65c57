/// One parameter's gradient, as codecs see it: a matrix [rows, columns] in a flat vector.
public struct CodecTensor: Sendable, Hashable {
  /// Tensors of fewer elements stay dense.
  public static let leastCompressed = 1024

  public let name: String
  /// Its place in the flat vectors.
  public let elements: Range<Int>
  /// Extents in the standard layout, row-major: a row holds the weights of one output.
  public let rows: Int
  public let columns: Int
  /// Whether codecs that lose more than the precision of numbers may take it.
  public let isCompressed: Bool
  /// The name of its random numbers.
  let purpose: String

  public var count: Int { elements.count }

  public init(name: String, elements: Range<Int>, rows: Int, columns: Int, isCompressed: Bool) {
    precondition(rows * columns == elements.count, "\(name) is \(rows) × \(columns) in \(elements.count) elements")
    precondition(elements.count <= Int(UInt32.max), "\(name) has \(elements.count) elements; indices have 32 bits")
    (self.name, self.elements, self.rows, self.columns) = (name, elements, rows, columns)
    self.isCompressed = isCompressed
    purpose = "compress/\(name)"
  }

  /// By the usual rule: what has one axis (biases, batch normalisation) or fewer than `leastCompressed` elements stays dense,
  /// because it is little of the traffic and its entries count for more.
  /// - Parameter shape: [outputs, …]; all axes but the first make up a row.
  public init(name: String, elements: Range<Int>, shape: [Int]) {
    let rows = shape.first ?? 1
    self.init(
      name: name, elements: elements, rows: rows, columns: shape.dropFirst().reduce(1, *),
      isCompressed: shape.count > 1 && elements.count >= Self.leastCompressed)
  }
}
