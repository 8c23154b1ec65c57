import Glibc
import Synchronization

/// The wish of a signal that the job save its state and end.
///
/// A handler only raises a flag; ranks agree on it between two steps, so all of them stop after the same one. USR1 comes
/// from schedulers and from `launch/train`, TERM from preemption, INT from a terminal. A second INT ends the process at
/// once, as it would without a handler.
enum StopRequest {
  private static let signalNumber = Atomic<Int32>(0)

  /// Installs the handlers for the requests of schedulers, before MPI starts: a job that is asked to stop while it starts does
  /// so after its first step.
  static func listenForSchedulers() { listen(to: [SIGUSR1, SIGTERM]) }

  /// Installs all handlers. Until the first step Ctrl-C ends a job at once.
  static func listen() { listen(to: [SIGUSR1, SIGTERM, SIGINT]) }

  private static func listen(to numbers: [Int32]) {
    // The first use makes the variable; that must not happen inside a handler.
    _ = received
    for number in numbers {
      signal(number) { number in
        StopRequest.signalNumber.store(number, ordering: .relaxed)
        if number == SIGINT { signal(SIGINT, SIG_DFL) }
      }
    }
  }

  /// The last signal that this process has received, or 0.
  static var received: Int32 { signalNumber.load(ordering: .relaxed) }
}
