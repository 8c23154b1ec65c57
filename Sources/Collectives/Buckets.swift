/// A range of whole parameters whose gradients are reduced together.
public struct Bucket: Hashable, Sendable {
  /// Positions in the sequence in which the backward pass finishes parameters.
  public let parameters: Range<Int>
  /// Elements of the flat gradient vector, which holds the parameters in that same sequence.
  public let elements: Range<Int>
}

/// Packs parameters into buckets (numerics contract, rule 4): a bucket takes parameters while they fit its capacity; a
/// parameter larger than that is a bucket of its own.
///
/// - Parameters:
///   - parameterSizes: elements of each parameter (padding included, if the flat vector has any), in the sequence in
///     which the backward pass finishes them.
///   - capacity: bytes of a bucket, 4 an element.
public func packBuckets(parameterSizes: [Int], capacity: Int) -> [Bucket] {
  let limit = capacity / MemoryLayout<Float>.stride
  var buckets: [Bucket] = []
  var parameter = 0
  var element = 0
  while parameter < parameterSizes.count {
    let first = parameter
    let start = element
    repeat {
      element += parameterSizes[parameter]
      parameter += 1
    } while parameter < parameterSizes.count && element + parameterSizes[parameter] - start <= limit
    buckets.append(Bucket(parameters: first..<parameter, elements: start..<element))
  }
  return buckets
}
