import Determinism

/// Values that are cut along their first axis: arrays into elements, tensors into rows.
public protocol TensorSlices {
  associatedtype Slice
  /// The extent of the first axis.
  var sliceCount: Int { get }
  func slice(_ index: Int) -> Slice
  /// Slices put together again along a new first axis. Tensors must be of one shape.
  init(stacking slices: [Slice])
}

extension TensorSlices {
  /// The same slices in another order, every order equally likely: Fisher and Yates' shuffle, a function of the seed.
  ///
  /// Values with as many slices are shuffled alike by one seed, so images and labels stay together.
  public func shuffled(seed: UInt64) -> Self {
    guard sliceCount > 1 else { return self }
    let stream = RandomStream(seed: seed, purpose: "shuffled")
    var order = Array(0..<sliceCount)
    for last in stride(from: order.count - 1, to: 0, by: -1) {
      order.swapAt(last, Int(stream.integer(below: UInt32(last + 1), last)))
    }
    return Self(stacking: order.map { slice($0) })
  }
}

extension Array: TensorSlices {
  public var sliceCount: Int { count }
  public func slice(_ index: Int) -> Element { self[index] }
  public init(stacking slices: [Element]) { self = slices }
}
