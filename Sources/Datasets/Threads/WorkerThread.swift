#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A thread that its owner joins.
///
/// It blocks every signal but those of faults, so that TERM, INT and USR1 reach the thread that handles them.
final class WorkerThread: Sendable {
  private let thread: pthread_t

  /// Starts a thread. Throws `DataError` if the system has none left.
  init(_ body: @escaping @Sendable () -> Void) throws {
    var blocked = sigset_t()
    var before = sigset_t()
    sigfillset(&blocked)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT] { sigdelset(&blocked, fault) }
    pthread_sigmask(SIG_SETMASK, &blocked, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(body))
    let status = pthread_create(
      &thread, nil,
      { start in
        // Balances the `passRetained` of the creator.
        Unmanaged<Start>.fromOpaque(start!).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard status == 0 else {
      start.release()
      throw DataError(
        "No thread can be started to read data: \(String(cString: strerror(status)).lowercased()); "
          + "raise the limit of processes or ask for fewer threads.")
    }
    self.thread = thread
  }

  /// Waits until the body has returned. To be called once, from another thread.
  func join() { pthread_join(thread, nil) }

  private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
