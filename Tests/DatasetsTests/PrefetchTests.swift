import Datasets
import Synchronization
import Testing

/// A number that several threads may raise.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .acquiring) }
  func add() { count.wrappingAdd(1, ordering: .acquiringAndReleasing) }
}

@Suite struct PrefetchTests {
  private func range(_ count: Int) -> Dataset<Int> { Dataset.fromTensorSlices(Array(0..<count)) }

  @Test func elementsAndOrderAreKept() {
    for count in [0, 1, 2, 7, 100] {
      for buffer in [1, 2, 3, 200] {
        #expect(Array(range(count).prefetch(buffer)) == Array(0..<count))
        #expect(Array(range(count).prefetch(buffer).prefetch(2).batch(3).prefetch(1)) == Array(range(count).batch(3)))
      }
    }
    let mixed = range(50).shuffle(bufferSize: 10, seed: 1)
    let ahead = mixed.prefetch(3)
    for iteration in 0..<3 as Range<UInt64> { #expect(Array(ahead) == Array(mixed.iteration(iteration))) }
    let iterator = range(2).prefetch(4).makeIterator()
    #expect([iterator.next(), iterator.next(), iterator.next(), iterator.next()] == [0, 1, nil, nil])
  }

  /// Elements in the buffer, one under way, and those that were taken: no more is computed.
  @Test func theBufferIsBounded() {
    for buffer in 1...4 {
      let calls = Counter()
      let counted = range(1000).map { number in
        calls.add()
        return number
      }
      let iterator = counted.prefetch(buffer).makeIterator()
      for taken in 1...20 {
        #expect(iterator.next() == taken - 1)
        #expect(calls.value <= taken + buffer + 1)
      }
    }
  }

  /// After a loop is left, its thread is gone: what it held is free, and nothing more is computed.
  @Test func leavingEarlyEndsTheThread() {
    for buffer in 1...3 {
      for taken in 0...3 {
        weak var held: Counter?
        do {
          let calls = Counter()
          held = calls
          let endless = range(3).repeat().map { number in
            calls.add()
            return number
          }
          for (count, _) in endless.prefetch(buffer).prefetch(buffer).enumerated() where count >= taken { break }
        }
        #expect(held == nil, "buffer \(buffer), left after \(taken)")
      }
    }
  }

  @Test func computesWhileTheLoopIsBusy() {
    let calls = Counter()
    let iterator = range(10).map { number in
      calls.add()
      return number
    }.prefetch(4).makeIterator()
    #expect(iterator.next() == 0)
    // Without another request the thread goes on until the buffer is full.
    let deadline = ContinuousClock.now + .seconds(20)
    while calls.value < 5, ContinuousClock.now < deadline {}
    #expect(calls.value >= 5)
  }
}
