import Foundation
import MPI

/// The memory of a node, in bytes.
public struct NodeMemory: Sendable, Hashable {
  /// What the node has.
  public let total: Int
  /// What a control group grants this process and those beside it, if it limits memory.
  public let limit: Int?
  /// Room for shared memory in `/dev/shm`; 0 where that is missing.
  public let shared: Int

  /// What all ranks of the node can use together.
  public var usable: Int { min(total, limit ?? .max) }

  /// Of the node this process runs on.
  public static func ofNode() -> NodeMemory {
    let total = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    // Version 2 of control groups, then version 1, which writes a number beyond all memory for "no limit".
    let limit =
      ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].lazy.compactMap { path in
        (try? String(contentsOfFile: path, encoding: .utf8)).flatMap {
          Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
      }.first
    return NodeMemory(
      total: total, limit: limit.flatMap { $0 < total ? $0 : nil }, shared: SharedWindow.room().total)
  }

  /// Bytes that can be taken now without driving others out, by Linux's own estimate, and within the control group's limit.
  public static func available() -> Int {
    let usable = ofNode().usable
    let lines = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8))?.split(separator: "\n") ?? []
    let kibibytes = lines.first { $0.hasPrefix("MemAvailable:") }?.split(separator: " ").dropFirst().first.flatMap {
      Int($0)
    }
    return min(usable, (kibibytes ?? .max >> 10) << 10)
  }
}
