extension Dataset {
  /// Successive elements in arrays of `size`; the last one may be shorter, unless `dropRemainder`.
  ///
  /// Tensors, and pairs of a tensor and a label, have a `batch` of their own below, which is preferred.
  @_disfavoredOverload
  public func batch(_ size: Int, dropRemainder: Bool = false) -> Dataset<[Element]> {
    precondition(size >= 1, "a batch of \(size)")
    return Dataset<[Element]> { iteration in
      let elements = start(iteration)
      return AnyIterator {
        var batch: [Element] = []
        while batch.count < size, let element = elements.next() { batch.append(element) }
        return batch.isEmpty || (dropRemainder && batch.count < size) ? nil : batch
      }
    }
  }

  /// Successive tensors of one shape, stacked along a new first axis.
  public func batch<Scalar>(_ size: Int, dropRemainder: Bool = false) -> Dataset<DenseTensor<Scalar>>
  where Element == DenseTensor<Scalar> {
    let arrays: Dataset<[Element]> = batch(size, dropRemainder: dropRemainder)
    return arrays.map { DenseTensor(stacking: $0) }
  }

  /// Successive pairs of a tensor and a label: the tensors stacked, the labels in an array.
  public func batch<Scalar, Label>(_ size: Int, dropRemainder: Bool = false) -> Dataset<(DenseTensor<Scalar>, [Label])>
  where Element == (DenseTensor<Scalar>, Label) {
    let arrays: Dataset<[Element]> = batch(size, dropRemainder: dropRemainder)
    return arrays.map { pairs in (DenseTensor(stacking: pairs.map(\.0)), pairs.map(\.1)) }
  }
}
