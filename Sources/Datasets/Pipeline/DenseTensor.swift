/// A tensor of values in memory, row-major: the plain type for examples, tests and the pipeline.
public struct DenseTensor<Scalar: Sendable>: Sendable {
  /// Extents of the axes; none for a single value.
  public let shape: [Int]
  public let scalars: [Scalar]

  public init(shape: [Int], scalars: [Scalar]) {
    precondition(
      shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == scalars.count, "\(scalars.count) values for shape \(shape)")
    self.shape = shape
    self.scalars = scalars
  }
}

extension DenseTensor: Equatable where Scalar: Equatable {}
extension DenseTensor: Hashable where Scalar: Hashable {}

extension DenseTensor: TensorSlices {
  /// The extent of the first axis; a single value has no slices to cut into.
  public var sliceCount: Int {
    precondition(!shape.isEmpty, "a tensor without axes has no slices")
    return shape[0]
  }

  public func slice(_ index: Int) -> DenseTensor {
    precondition(index >= 0 && index < sliceCount, "slice \(index) of \(sliceCount)")
    let size = shape.dropFirst().reduce(1, *)
    return DenseTensor(shape: Array(shape.dropFirst()), scalars: Array(scalars[index * size..<(index + 1) * size]))
  }

  public init(stacking slices: [DenseTensor]) {
    let shape = slices.first?.shape ?? []
    precondition(slices.allSatisfy { $0.shape == shape }, "slices of different shapes cannot be stacked")
    self.init(shape: [slices.count] + shape, scalars: slices.flatMap(\.scalars))
  }
}
