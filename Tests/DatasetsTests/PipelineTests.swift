import Datasets
import Testing

@Suite struct PipelineTests {
  private func range(_ count: Int) -> Dataset<Int> { Dataset.fromTensorSlices(Array(0..<count)) }

  @Test func slicesOfArraysAndTensors() {
    #expect(Array(range(4)) == [0, 1, 2, 3])
    #expect(Array(range(0)) == [])
    let tensor = DenseTensor<Float>(shape: [3, 2, 2], scalars: (0..<12).map(Float.init))
    let rows = Array(Dataset.fromTensorSlices(tensor))
    #expect(rows.map(\.shape) == [[2, 2], [2, 2], [2, 2]] && rows[1].scalars == [4, 5, 6, 7])
    let pairs = Array(Dataset.fromTensorSlices(tensor, ["a", "b", "c"]))
    #expect(pairs.map(\.0) == rows && pairs.map(\.1) == ["a", "b", "c"])
    let scalars = Array(Dataset.fromTensorSlices(DenseTensor<Int>(shape: [2], scalars: [5, 6])))
    #expect(scalars == [DenseTensor(shape: [], scalars: [5]), DenseTensor(shape: [], scalars: [6])])
  }

  @Test func batches() {
    #expect(Array(range(8).batch(3)) == [[0, 1, 2], [3, 4, 5], [6, 7]])
    #expect(Array(range(8).batch(3, dropRemainder: true)) == [[0, 1, 2], [3, 4, 5]])
    for count in 0...9 {
      for size in 1...10 {
        let batches = Array(range(count).batch(size))
        #expect(batches.flatMap { $0 } == Array(0..<count) && batches.count == (count + size - 1) / size)
        #expect(Array(range(count).batch(size, dropRemainder: true)).count == count / size)
      }
    }
  }

  @Test func batchesOfTensorsAreStacked() {
    let tensor = DenseTensor<Float>(shape: [5, 2], scalars: (0..<10).map(Float.init))
    var shapes: [[Int]] = []
    var scalars: [Float] = []
    for batch in Dataset.fromTensorSlices(tensor).batch(2) {
      shapes.append(batch.shape)
      scalars += batch.scalars
    }
    #expect(shapes == [[2, 2], [2, 2], [1, 2]] && scalars == tensor.scalars)
    var labels: [[Int]] = []
    for (images, classes) in Dataset.fromTensorSlices(tensor, [7, 8, 9, 10, 11]).batch(3) {
      #expect(images.shape == [classes.count, 2] && images.scalars[0] == Float(2 * (classes[0] - 7)))
      labels.append(classes)
    }
    #expect(labels == [[7, 8, 9], [10, 11]])
  }

  @Test func shuffleKeepsTheBuffersPromise() {
    for count in [0, 1, 2, 5, 17] {
      for buffer in [1, 2, 3, 10, 17, 30] {
        for seed in 0..<20 as Range<UInt64> {
          let order = Array(range(count).shuffle(bufferSize: buffer, seed: seed))
          #expect(order.sorted() == Array(0..<count))
          // Place k holds one of the first k + B elements.
          #expect(order.enumerated().allSatisfy { $1 <= $0 + buffer - 1 }, "\(count) \(buffer) \(seed)")
          if buffer == 1 { #expect(order == Array(0..<count)) }
        }
      }
    }
    // The bound is reached, and an element may come late.
    let orders = (0..<50).map { Array(range(40).shuffle(bufferSize: 5, seed: $0)) }
    #expect(orders.contains { $0.enumerated().contains { $1 == $0 + 4 } })
    #expect(orders.contains { $0.enumerated().contains { $1 < $0 - 8 } })
  }

  @Test func aWholeBufferGivesEveryOrderEquallyOften() {
    var times: [[Int]: Int] = [:]
    let draws = 24 * 400
    for seed in 0..<draws { times[Array(range(4).shuffle(bufferSize: 4, seed: UInt64(seed))), default: 0] += 1 }
    #expect(times.count == 24)
    // The 99.99 % point for 23 degrees of freedom.
    #expect(ShuffleBattery.chiSquared(Array(times.values), expected: 400) < 56)
  }

  @Test func iterationsAreNumbered() {
    let mixed = range(20).shuffle(bufferSize: 20, seed: 3)
    let first = Array(mixed)
    let second = Array(mixed)
    #expect(first != second)
    #expect(Array(mixed.iteration(0)) == first && Array(mixed.iteration(1)) == second)
    // A new value counts from the start: no state outside.
    let again = range(20).shuffle(bufferSize: 20, seed: 3)
    #expect(Array(again) == first && Array(again) == second && Array(again) != second)
    // Through other transformations, and far on.
    #expect(Array(again.map { $0 }.batch(20).iteration(1)) == [second])
    #expect(Array(mixed.iteration(1 << 40)) != first)

    let fixed = range(20).shuffle(bufferSize: 20, seed: 3, reshuffleEachIteration: false)
    #expect(Array(fixed) == first && Array(fixed) == first)
    #expect(Array(range(20).shuffle(bufferSize: 20, seed: 4)) != first)
  }

  @Test func shuffleBeforeAndAfterBatch() {
    // After: whole batches move, their members stay together for ever.
    let whole = range(12).batch(3).shuffle(bufferSize: 4, seed: 1)
    for _ in 0..<10 {
      let batches = Array(whole)
      #expect(batches.sorted { $0[0] < $1[0] } == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]])
    }
    // Before: members are mixed anew.
    let mixed = range(12).shuffle(bufferSize: 12, seed: 1).batch(3)
    var memberships = Set<Set<Int>>()
    for _ in 0..<10 { for batch in mixed { memberships.insert(Set(batch)) } }
    #expect(memberships.count > 20)
  }

  @Test func repeats() {
    #expect(Array(range(3).repeat(2)) == [0, 1, 2, 0, 1, 2])
    #expect(Array(range(3).repeat(0)) == [] && Array(range(0).repeat(5)) == [] && Array(range(0).repeat()) == [])
    #expect(Array(range(3).repeat().take(8)) == [0, 1, 2, 0, 1, 2, 0, 1])
    #expect(Array(range(2).repeat(2).repeat(2)) == [0, 1, 0, 1, 0, 1, 0, 1])
    // A shuffle before it keeps epochs apart, each in an order of its own.
    let mixed = range(10).shuffle(bufferSize: 10, seed: 2)
    let epochs = Array(mixed.repeat(3).batch(10))
    #expect(epochs == (0..<3).map { Array(mixed.iteration($0)) })
    #expect(Set(epochs).count == 3 && epochs.allSatisfy { $0.sorted() == Array(0..<10) })
    // The second iteration of the repetition goes on with new orders.
    #expect(Array(mixed.repeat(3).batch(10).iteration(1)) == (3..<6).map { Array(mixed.iteration($0)) })
    // One after it mixes across their border.
    let blurred = Array(range(10).repeat(2).shuffle(bufferSize: 20, seed: 2))
    #expect(Set(blurred.prefix(10)).count < 10)
  }

  @Test func selections() {
    #expect(
      Array(range(5).take(3)) == [0, 1, 2] && Array(range(5).take(0)) == [] && Array(range(2).take(3)) == [0, 1])
    #expect(Array(range(5).skip(3)) == [3, 4] && Array(range(5).skip(9)) == [] && Array(range(2).skip(0)) == [0, 1])
    for count in 0...12 {
      for shards in 1...5 {
        for index in 0..<shards {
          #expect(
            Array(range(count).shard(count: shards, index: index)) == (0..<count).filter { $0 % shards == index })
        }
      }
    }
    let numbered = Array(Dataset.fromTensorSlices(["a", "b"]).enumerated())
    #expect(numbered.map(\.offset) == [0, 1] && numbered.map(\.element) == ["a", "b"])
  }

  @Test func mapIsLazy() {
    let calls = Counter()
    let squares = range(1000).map { number in
      calls.add()
      return number * number
    }
    #expect(calls.value == 0)
    #expect(Array(squares.take(4)) == [0, 1, 4, 9] && calls.value == 4)
  }

  @Test func rowsAreShuffledTogether() {
    let tensor = DenseTensor<Int>(shape: [6, 2], scalars: Array(0..<12))
    let labels = Array(0..<6)
    var orders = Set<[Int]>()
    for seed in 0..<50 as Range<UInt64> {
      let rows = tensor.shuffled(seed: seed)
      let order = labels.shuffled(seed: seed)
      #expect(rows.shape == [6, 2] && rows.scalars == order.flatMap { [2 * $0, 2 * $0 + 1] })
      #expect(order.sorted() == labels)
      orders.insert(order)
    }
    #expect(orders.count > 40)
    let empty = DenseTensor<Int>(shape: [0, 3], scalars: [])
    #expect(empty.shuffled(seed: 1) == empty && [Int]().shuffled(seed: 1) == [])
  }
}
