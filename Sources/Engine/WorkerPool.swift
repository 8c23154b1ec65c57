import CKernels
import COneDNN
import Foundation

/// Threads of our own on which shards run side by side, each with an OpenMP team of `threadsPerWorker`.
///
/// Kernels give other bits inside an OpenMP region or under another team size (docs/numerics.md), so every worker sets
/// its team once and makes and runs its kernels itself. Job i always runs on worker i mod `count`.
public final class WorkerPool: Sendable {
  public let count: Int
  public let threadsPerWorker: Int
  private let state: State

  public init(count: Int, threadsPerWorker: Int) {
    precondition(count > 0 && threadsPerWorker > 0)
    self.count = count
    self.threadsPerWorker = threadsPerWorker
    let state = State(workers: count)
    self.state = state
    for worker in 0..<count {
      let thread = Thread {
        ck_set_float_environment()
        odn_set_threads(Int32(threadsPerWorker))
        state.work(as: worker)
      }
      thread.name = "worker-\(worker)"
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  deinit { state.stop() }

  public typealias Job = @Sendable (_ worker: Int, _ job: Int) throws -> Void

  /// Runs `body` for jobs 0..<jobs and waits for all. The error of the lowest job that failed is thrown.
  ///
  /// - Parameter attend: called on this thread meanwhile: at the start, after each `wake`, and after the time that it returned
  ///   last. What it throws is thrown once all jobs have ended.
  public func run(jobs: Int, _ body: @escaping Job, attending attend: (() throws -> DispatchTimeInterval)? = nil) throws
  {
    try state.run(jobs: jobs, body, attending: attend)
  }

  /// Has `attend` called soon; for jobs.
  func wake() { state.wake() }

  /// What the threads share with the pool; it outlives the pool until they have ended.
  private final class State: @unchecked Sendable {  // Everything mutable is guarded by `lock`.
    private let workers: Int
    private let lock = NSCondition()
    private var generation = 0
    private var jobs = 0
    private var body: Job?
    private var running = 0
    private var firstError: (job: Int, error: any Error)?
    private var isStopping = false
    /// What the thread that attends sleeps on.
    private let attention = DispatchSemaphore(value: 0)

    init(workers: Int) { self.workers = workers }

    func stop() {
      lock.lock()
      isStopping = true
      lock.broadcast()
      lock.unlock()
    }

    func wake() { attention.signal() }

    func run(jobs: Int, _ body: @escaping Job, attending attend: (() throws -> DispatchTimeInterval)?) throws {
      if jobs == 0 { return }
      lock.lock()
      precondition(running == 0, "a pool runs one set of jobs at a time")
      self.jobs = jobs
      self.body = body
      running = workers
      firstError = nil
      generation += 1
      lock.broadcast()
      var failure: (any Error)?
      if let attend {
        lock.unlock()
        failure = sleep(attending: attend)
        lock.lock()
      }
      while running > 0 { lock.wait() }
      self.body = nil
      failure = firstError?.error ?? failure
      lock.unlock()
      if let failure { throw failure }
    }

    /// Until no job runs, or attending fails.
    private func sleep(attending attend: () throws -> DispatchTimeInterval) -> (any Error)? {
      while true {
        lock.lock()
        let isDone = running == 0
        lock.unlock()
        if isDone { return nil }
        do {
          let pause = try attend()
          _ = attention.wait(timeout: pause == .never ? .distantFuture : .now() + pause)
        } catch {
          return error
        }
      }
    }

    func work(as worker: Int) {
      var seen = 0
      lock.lock()
      while true {
        while generation == seen && !isStopping { lock.wait() }
        if isStopping { break }
        seen = generation
        guard let body else { preconditionFailure("a generation without a body") }
        let jobs = jobs
        lock.unlock()
        var failure: (job: Int, error: any Error)?
        for job in stride(from: worker, to: jobs, by: workers) where failure == nil {
          do { try body(worker, job) } catch { failure = (job, error) }
        }
        lock.lock()
        if let failure, firstError.map({ failure.job < $0.job }) ?? true { firstError = failure }
        running -= 1
        if running == 0 {
          lock.broadcast()
          attention.signal()
        }
      }
      lock.unlock()
    }
  }
}
