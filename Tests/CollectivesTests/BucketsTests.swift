import Collectives
import Testing

@Suite struct BucketsTests {
  @Test func parametersAreTakenWholeWhileTheyFit() {
    let buckets = packBuckets(parameterSizes: [10, 20, 30, 100, 1, 2], capacity: 4 * 60)
    #expect(buckets.map(\.parameters) == [0..<3, 3..<4, 4..<6])
    #expect(buckets.map(\.elements) == [0..<60, 60..<160, 160..<163])
  }

  @Test func noParametersNoBuckets() { #expect(packBuckets(parameterSizes: [], capacity: 100).isEmpty) }

  /// All sequences of four small sizes and all capacities, against the rule.
  @Test func everyBucketKeepsTheRule() {
    for sizes in (0..<256).map({ n in (0..<4).map { n >> (2 * $0) & 3 } }) {
      for limit in 0...9 {
        let buckets = packBuckets(parameterSizes: sizes, capacity: 4 * limit)
        #expect(buckets.flatMap { Array($0.parameters) } == [0, 1, 2, 3])
        #expect(buckets.flatMap { Array($0.elements) } == Array(0..<sizes.reduce(0, +)))
        for (index, bucket) in buckets.enumerated() {
          #expect(bucket.elements.count == sizes[bucket.parameters].reduce(0, +))
          #expect(bucket.parameters.count == 1 || bucket.elements.count <= limit)
          // The next parameter would not have fitted.
          if index + 1 < buckets.count {
            #expect(bucket.elements.count + sizes[bucket.parameters.upperBound] > limit)
          }
        }
      }
    }
  }
}
