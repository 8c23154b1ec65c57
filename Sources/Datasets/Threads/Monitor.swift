#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A value shared by threads that wait for it to change.
///
/// The value is touched only between lock and unlock of one mutex, which is why the class may call itself Sendable.
final class Monitor<Value: Sendable>: @unchecked Sendable {
  private var value: Value
  // The C library requires that neither object moves, so each has an allocation of its own.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>

  init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    precondition(pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(changed, nil) == 0)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Changes the value and wakes every thread that waits.
  @discardableResult
  func update<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(mutex)
    }
    return try body(&value)
  }

  /// Waits until `isReady`, then does as `update`, with no other thread in between.
  @discardableResult
  func update<Result>(when isReady: (Value) -> Bool, _ body: (inout Value) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(mutex)
    }
    while !isReady(value) { pthread_cond_wait(changed, mutex) }
    return try body(&value)
  }
}
