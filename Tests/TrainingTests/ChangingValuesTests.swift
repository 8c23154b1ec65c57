import Testing
import Training

/// What the benchmark of sums writes, and that its check would find a sum that is wrong or of another time.
@Suite struct ChangingValuesTests {
  @Test(arguments: [1, 2, 17]) func onlyTheRightSumIsRight(shards: Int) {
    let values = ChangingValues(shards: shards)
    let count = 1000
    var sum = [Float](repeating: 0, count: count)
    var own = sum
    for shard in 0..<shards {
      own.withUnsafeMutableBufferPointer { values.write(to: $0.baseAddress!, count: count, shard: shard, salt: 77) }
      for index in sum.indices { sum[index] += own[index] }
    }
    func isRight(_ vector: [Float], salt: Int = 77, shards: Range<Int>) -> Bool {
      vector.withUnsafeBufferPointer {
        values.areSums($0.baseAddress!, elements: 0..<count, shards: shards, salt: salt)
      }
    }
    #expect(isRight(sum, shards: 0..<shards))
    #expect(isRight(own, shards: shards - 1..<shards))
    #expect(!isRight(sum, salt: 78, shards: 0..<shards))
    for index in [0, 513, 999] {
      var wrong = sum
      wrong[index] += 1
      #expect(!isRight(wrong, shards: 0..<shards))
    }
  }
}
