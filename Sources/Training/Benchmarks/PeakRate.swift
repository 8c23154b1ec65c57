import CKernels
import Engine
import Foundation
import Synchronization

/// Floating-point operations a second that `threads` threads reach side by side at most: chains of multiply-adds in
/// registers, as wide as the instruction set (CKernels/peak.h). The measure of `share_of_peak`.
///
/// Each thread takes its best of many short runs, so that a disturbance does not count.
package func measurePeakRate(threads: Int) throws -> Double {
  final class Total: Sendable { let rate = Mutex(0.0) }
  let total = Total()
  try WorkerPool(count: threads, threadsPerWorker: 1).run(jobs: threads) { _, _ in
    var rounds = 1_000
    var best = 0.0
    var runs = 0
    while runs < 100 {
      let begin = DispatchTime.now().uptimeNanoseconds
      let operations = ck_multiply_adds(rounds)
      let nanoseconds = DispatchTime.now().uptimeNanoseconds - begin
      if nanoseconds < 300_000 {
        rounds *= 2
      } else {
        best = max(best, operations / Double(nanoseconds) * 1e9)
        runs += 1
      }
    }
    total.rate.withLock { $0 += best }
  }
  return total.rate.withLock { $0 }
}
