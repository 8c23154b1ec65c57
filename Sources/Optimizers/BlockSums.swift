import CKernels

/// Norms, as sums of squares of blocks. A block's sum has one fixed order (`ck_sum_squares`) and sums of blocks are added
/// in index order, so whoever computed which block, a norm has the same bits. A NaN or an infinity in the vector gives a
/// norm that is not finite.
extension UpdateLayout {
  /// Writes the sum of squares of each block in `blocks` of `vector` to `sums[block]`.
  public func sumSquares(
    of vector: UnsafePointer<Float>, blocks range: Range<Int>, into sums: UnsafeMutablePointer<Double>
  ) {
    blocks.withUnsafeBufferPointer { blocks in
      for index in range {
        let elements = blocks[index].elements
        ck_sum_squares(vector + elements.lowerBound, elements.count, sums + index)
      }
    }
  }

  /// The L2 norm of a whole vector from the sums of all its blocks.
  public func norm(_ sums: UnsafePointer<Double>) -> Double {
    var total = 0.0
    for index in 0..<blocks.count { total += sums[index] }
    return total.squareRoot()
  }

  /// The L2 norm of a whole vector, computed by one thread, with the bits of the sums of all its blocks.
  public func norm(of vector: UnsafePointer<Float>) -> Double {
    var total = 0.0
    for block in blocks {
      var sum = 0.0
      ck_sum_squares(vector + block.elements.lowerBound, block.elements.count, &sum)
      total += sum
    }
    return total.squareRoot()
  }

  /// The L2 norm of each region, to `norms[region]`, from the sums of all blocks. An empty region has norm 0.
  public func regionNorms(_ sums: UnsafePointer<Double>, into norms: inout [Double]) {
    for region in norms.indices { norms[region] = 0 }
    blocks.withUnsafeBufferPointer { blocks in
      for index in blocks.indices { norms[blocks[index].region] += sums[index] }
    }
    for region in norms.indices { norms[region].formSquareRoot() }
  }
}

/// The norms that a pass of a chain needs before it runs (`Optimizer.Pass.reach`). Created once, filled at every step.
public struct UpdateNorms: Sendable {
  /// The L2 norm of the whole update at this point of the chain.
  public internal(set) var model = 0.0
  /// The L2 norm of the update, region by region.
  public internal(set) var update: [Double]
  /// The L2 norm of the parameters, region by region.
  public internal(set) var parameters: [Double]

  public init(_ layout: UpdateLayout) {
    update = Array(repeating: 0, count: layout.regions.count)
    parameters = update
  }
}
