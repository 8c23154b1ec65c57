import CKernels

extension LocalSum {
  /// Carries the sum out in memory.
  ///
  /// - Parameters:
  ///   - contributions: for each hosted shard the first element of the bucket.
  ///   - firstShard: the shard that `contributions[0]` belongs to.
  ///   - result: the first element of the bucket in the result buffer.
  ///
  /// Sound: the caller's buffers cover the bucket, and `elements` lies in it.
  func execute(contributions: [UnsafePointer<Float>], offset: Int, firstShard: Int, result: UnsafeMutablePointer<Float>)
  {
    // Piece by piece, so that a piece of the sum stays in the first-level cache while all shards are added to it.
    let piece = 2048
    var start = elements.lowerBound
    while start < elements.upperBound {
      let count = min(piece, elements.upperBound - start)
      let sum = result + start
      func addend(_ index: Int) -> UnsafePointer<Float> { contributions[shards[index] - firstShard] + offset + start }
      var index = 0
      if !ontoResult {
        if shards.count == 1 {
          // A run of one shard may have its contribution for its sum.
          if sum != addend(0) { sum.update(from: addend(0), count: count) }
          index = 1
        } else {
          ck_add(sum, addend(0), addend(1), count)
          index = 2
        }
      }
      while index < shards.count {
        ck_accumulate(sum, addend(index), count)
        index += 1
      }
      start += count
    }
  }
}
