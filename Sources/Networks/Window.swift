/// Extent, step and margin of a sliding window, as (height, width).
public struct Window: Sendable, Hashable {
  public var kernel: [Int]
  public var stride: [Int]
  public var padding: [Int]

  public init(kernel: [Int], stride: [Int], padding: [Int]) {
    precondition(kernel.count == 2 && stride.count == 2 && padding.count == 2)
    precondition(kernel.allSatisfy { $0 > 0 } && stride.allSatisfy { $0 > 0 } && padding.allSatisfy { $0 >= 0 })
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
  }

  /// A square window.
  public init(_ kernel: Int, stride: Int = 1, padding: Int = 0) {
    self.init(kernel: [kernel, kernel], stride: [stride, stride], padding: [padding, padding])
  }

  /// The windows of an adaptive pool, which for output i of `out` reads ⌊i·extent/out⌋ ..< ⌈(i + 1)·extent/out⌉, where
  /// they are of one size and distance: extents that are a multiple of `out`, or a multiple and one. Else nil.
  public init?(cutting extents: [Int], into outputs: [Int]) {
    var kernel: [Int] = []
    var stride: [Int] = []
    for (extent, out) in zip(extents, outputs) {
      let (size, rest) = extent.quotientAndRemainder(dividingBy: out)
      guard size > 0, rest == 0 || rest == 1 else { return nil }
      kernel.append(size + rest)
      stride.append(size)
    }
    self.init(kernel: kernel, stride: stride, padding: [0, 0])
  }

  /// The output's height and width for an input's: ⌊(extent + 2·padding − kernel)/stride⌋ + 1.
  public func outputExtents(_ height: Int, _ width: Int) -> [Int] {
    [height, width].enumerated().map { axis, extent in
      let room = extent + 2 * padding[axis] - kernel[axis]
      precondition(room >= 0, "a window of \(kernel) with padding \(padding) does not fit into \(height)×\(width)")
      return room / stride[axis] + 1
    }
  }
}
