import CSystem
import Foundation
import MPI

/// Processes of a job on this host, as the system shows them, without a word from MPI.
enum JobProcesses {
  struct Process: Sendable {
    /// As the launcher counts.
    let rank: Int
    let number: Int32
    /// By SIGSTOP or a debugger.
    let isStopped: Bool
  }

  /// The other ranks that this one's launcher has started here: its parent's other children that run the same program.
  static func siblings() -> [Process] {
    guard LaunchEnvironment.current.size > 1, let program = executable(of: getpid()) else { return [] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { number in
      number != getpid() && cs_process_parent(number) == getppid() && executable(of: number) == program
    }.map { number in
      let state = UInt8(bitPattern: cs_process_state(number))
      return Process(
        rank: environment(of: number).rank, number: number,
        isStopped: state == UInt8(ascii: "T") || state == UInt8(ascii: "t"))
    }.sorted { $0.rank < $1.rank }
  }

  /// Ends the launcher some seconds from now, if it is still there: mpirun waits for ever for a host that does not answer.
  static func endLauncherLater() {
    let launcher = getppid()
    let name = (try? String(contentsOfFile: "/proc/\(launcher)/comm", encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines)
    if ["mpirun", "mpiexec", "orterun", "prterun"].contains(name) { cs_kill_later(launcher, 4) }
  }

  private static func executable(of number: Int32) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(number)/exe")
  }

  private static func environment(of number: Int32) -> LaunchEnvironment {
    let bytes = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(number)/environ"))) ?? Data()
    let lines = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return LaunchEnvironment { name in
      lines.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
  }
}
