import Foundation

/// How a rank waits for messages without taking a core from those who compute: it lets others run, and sleeps for moments
/// once nothing has happened for some turns. (A blocking receive of Open MPI takes a whole core.)
struct PolitePause {
  private var turns = 0

  /// Something happened.
  mutating func reset() { turns = 0 }

  /// Nothing did.
  mutating func pause() {
    turns += 1
    if turns < 32 { sched_yield() } else { usleep(50) }
  }
}
