import CKernels
import Foundation

/// The processor cores that a process may use on its node.
public struct Cores: Sendable, Hashable {
  /// Numbers of the cores, ascending.
  public let allowed: [Int]
  /// Whole cores' worth of time that a control group grants, if it limits time.
  public let quota: Int?

  /// How many threads can run at once.
  public var count: Int { max(1, min(allowed.count, quota ?? .max)) }

  /// What the node allows this process, whatever its launcher has bound it to.
  ///
  /// A launcher often binds each rank to one core before it knows how many threads the rank wants; what counts is the
  /// control group, which the kernel applies when every core is asked for. The binding itself is left as it was.
  public static func ofNode() -> Cores {
    let before = affinity()
    bind(to: Array(0..<Int(CK_MOST_CORES)))
    let allowed = affinity()
    if !before.isEmpty { bind(to: before) }
    return Cores(allowed: allowed.isEmpty ? [0] : allowed, quota: timeQuota())
  }

  /// Binds the calling thread, and threads that it starts later, to cores; those not allowed are passed over.
  public static func bind(to cores: [Int]) {
    let numbers = cores.map(Int32.init)
    // Where none is allowed the binding stays as it was, and so do the trained bits.
    _ = ck_set_affinity(numbers, Int32(numbers.count))
  }

  /// The cores that the calling thread is bound to.
  public static func affinity() -> [Int] {
    var cores = [Int32](repeating: 0, count: Int(CK_MOST_CORES))
    let count = Int(ck_affinity(&cores))
    return cores[..<count].map(Int.init)
  }

  /// The CPU time that control group version 2 or 1 grants, in whole cores; containers are limited by it.
  private static func timeQuota() -> Int? {
    func numbers(_ path: String) -> [Int]? {
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
      return text.split(whereSeparator: \.isWhitespace).map { Int($0) ?? -1 }
    }
    let pair =
      numbers("/sys/fs/cgroup/cpu.max")
      ?? zipped(numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))
    guard let pair, pair.count == 2, pair[0] > 0, pair[1] > 0 else { return nil }
    return max(1, pair[0] / pair[1])
  }

  private static func zipped(_ quota: [Int]?, _ period: [Int]?) -> [Int]? {
    guard let quota = quota?.first, let period = period?.first else { return nil }
    return [quota, period]
  }
}
