import Engine
import Foundation
import Testing

/// Threads of our own: who runs what, and what an error does.
@Suite struct WorkerPoolTests {
  /// Collects from several threads.
  private final class Log<Element: Sendable>: @unchecked Sendable {  // Guarded by the lock.
    private let lock = NSLock()
    private var elements: [Element] = []
    func add(_ element: Element) { lock.withLock { elements.append(element) } }
    var all: [Element] { lock.withLock { elements } }
  }

  private struct Failure: Error, Equatable { let job: Int }

  @Test func everyJobRunsOnceOnItsWorker() throws {
    for workers in 1...4 {
      let pool = WorkerPool(count: workers, threadsPerWorker: 1)
      for jobs in [0, 1, 2, 3, 7, 8] {
        let log = Log<[Int]>()
        try pool.run(jobs: jobs) { worker, job in log.add([job, worker]) }
        #expect(log.all.sorted { $0[0] < $1[0] } == (0..<jobs).map { [$0, $0 % workers] })
      }
    }
  }

  @Test func aWorkerIsOneThread() throws {
    let pool = WorkerPool(count: 3, threadsPerWorker: 1)
    let log = Log<(worker: Int, thread: UInt)>()
    for _ in 0..<5 { try pool.run(jobs: 6) { worker, _ in log.add((worker, UInt(pthread_self()))) } }
    let threads = (0..<3).map { worker in Set(log.all.filter { $0.worker == worker }.map(\.thread)) }
    #expect(threads.allSatisfy { $0.count == 1 } && Set(threads.flatMap(\.self)).count == 3)
    #expect(!threads.flatMap(\.self).contains(UInt(pthread_self())))
  }

  /// Jobs of different workers run side by side: each waits for the other. (Not by a time limit of the test, which counts from when it
  /// begins to wait for a thread.)
  @Test func workersRunSideBySide() throws {
    let pool = WorkerPool(count: 2, threadsPerWorker: 1)
    let signals = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
    try pool.run(jobs: 2) { _, job in
      signals[1 - job].signal()
      if signals[job].wait(timeout: .now() + 60) == .timedOut { throw Failure(job: job) }
    }
  }

  @Test func theErrorOfTheLowestJobIsThrown() throws {
    for workers in 1...3 {
      let pool = WorkerPool(count: workers, threadsPerWorker: 1)
      for failing in [[0], [5], [4, 2], [1, 3, 4], [0, 1, 2, 3, 4, 5]] {
        #expect(throws: Failure(job: failing.min() ?? 0)) {
          try pool.run(jobs: 6) { _, job in
            // The lowest comes last, so that being first is not enough.
            if job == failing.min() { usleep(2000) }
            if failing.contains(job) { throw Failure(job: job) }
          }
        }
        // The pool works on, and has forgotten the error.
        let log = Log<Int>()
        try pool.run(jobs: 6) { _, job in log.add(job) }
        #expect(log.all.sorted() == Array(0..<6))
      }
    }
  }

  /// What a job captured is let go when its run is over, not when the next one begins.
  @Test func capturesAreReleased() throws {
    final class Token: Sendable {}
    weak var token: Token?
    let pool = WorkerPool(count: 2, threadsPerWorker: 1)
    do {
      let strong = Token()
      token = strong
      try pool.run(jobs: 2) { [strong] _, _ in _ = strong }
    }
    // The threads drop their own reference a moment after the last of them has said that it is done.
    for _ in 0..<1000 where token != nil { usleep(1000) }
    #expect(token == nil)
    try pool.run(jobs: 1) { _, _ in }
  }
}
