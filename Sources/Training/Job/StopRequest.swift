import Glibc
import Synchronization

/// The wish of a signal that the job save its state and end.
///
/// A handler only raises a flag; ranks agree on it between two steps, so all of them stop after the same one. USR1 comes
/// from schedulers and from `launch/train`, TERM from preemption, INT from a terminal. A second INT ends the process at
/// once, as it would without a handler.
enum StopRequest {
  private static let signalNumber = Atomic<Int32>(0)

  /// Installs the handlers.
  static func listen() {
    // The first use makes the variable; that must not happen inside a handler.
    signalNumber.store(0, ordering: .relaxed)
    for number in [SIGUSR1, SIGTERM, SIGINT] {
      signal(number) { number in
        StopRequest.signalNumber.store(number, ordering: .relaxed)
        if number == SIGINT { signal(SIGINT, SIG_DFL) }
      }
    }
  }

  /// The last signal that this process has received, or 0.
  static var received: Int32 { signalNumber.load(ordering: .relaxed) }
}
