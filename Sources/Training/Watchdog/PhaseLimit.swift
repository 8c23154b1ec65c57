import CSystem
import Foundation
import MPI
import Synchronization

/// A limit on the time of a phase in which no watchdog can see the ranks: before they share a page, and after they have ended it.
///
/// Each rank has one for itself. Whoever waits for longer says which rank of this host is stopped, if one is, and ends the job
/// with 70. A rank that stops when no other waits for it any more is ended by a process that it has left for that.
enum PhaseLimit {
  enum Phase: Sendable {
    /// From the beginning of the program until the watchdog is there.
    case start
    /// From the end of the watchdog until that of the process.
    case end

    /// Seconds that it may take at least: a busy machine starts and ends a job slowly.
    var least: Double { self == .start ? 10 : 5 }
  }

  private static let current = Atomic<Int>(0)

  /// About as good as none, and within what clocks can count: 30 years.
  private static let longest = 1e9

  /// Begins a phase, which ends the one before.
  ///
  /// - Parameter seconds: the watchdog's limit; nothing is limited where there is no watchdog.
  static func begin(_ phase: Phase, watchdogSeconds seconds: Double) {
    let number = current.add(1, ordering: .relaxed).newValue
    let launch = LaunchEnvironment.current
    guard seconds > 0, launch.size > 1 else { return }
    let limit = min(max(seconds, phase.least), longest)
    // One rank speaks, and the launcher then ends the others.
    let turn = launch.rank == 0 ? 0 : 2 + 0.2 * Double(min(launch.rank, 50))
    let deadline = ContinuousClock.now + .seconds(limit + turn)
    if phase == .end { cs_kill_later(getpid(), Int32(limit + turn) + 5) }
    Thread.detachNewThread {
      while current.load(ordering: .relaxed) == number {
        if ContinuousClock.now >= deadline { end(phase, after: limit, launch.rank) }
        usleep(100_000)
      }
    }
  }

  /// The phase is over.
  static func lift() { current.add(1, ordering: .relaxed) }

  private static func end(_ phase: Phase, after seconds: Double, _ rank: Int) -> Never {
    let siblings = JobProcesses.siblings()
    let text = sentence(phase, after: seconds, stopped: siblings.filter(\.isStopped), host: hostName)
    JobFailure(message: text, exitCode: ExitCode.hang.rawValue).print()
    // What the launcher leaves.
    for sibling in siblings { cs_kill_later(sibling.number, 3) }
    JobProcesses.endLauncherLater()
    _exit(ExitCode.hang.rawValue)
  }

  static func sentence(
    _ phase: Phase, after seconds: Double, stopped: [JobProcesses.Process], host: String
  ) -> String {
    let what =
      switch phase {
      case .start: "the ranks have not found each other in \(duration(seconds))"
      case .end: "the run is over, but its ranks have not ended together in \(duration(seconds))"
      }
    let who = stopped.map { "rank \($0.rank) (\(host), process \($0.number))" }.joined(separator: ", ")
    let why =
      stopped.isEmpty
      ? "no rank of \(host) is stopped, so look whether the other hosts of the job answer"
      : "\(who) \(stopped.count == 1 ? "is" : "are") stopped"
    return "\(what): \(why). The job is ended."
  }

  /// Known before MPI is.
  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
