import Foundation
import TestSupport

/// What is done to a job from outside.
enum Disturbance: String, CaseIterable, CustomStringConvertible {
  case killRank = "KILL to a rank"
  case killRanks = "KILL to all ranks"
  case killLauncher = "KILL to mpirun"
  case terminateRanks = "TERM to all ranks"
  case terminateLauncher = "TERM to mpirun"
  case askRanks = "USR1 to all ranks"
  case askLauncher = "USR1 to mpirun"
  case stopRank = "STOP to a rank"

  static let kills: [Disturbance] = [.killRank, .killRanks, .killLauncher]
  static let others: [Disturbance] = [.terminateRanks, .terminateLauncher, .askRanks, .askLauncher, .stopRank]

  var description: String { rawValue }

  var signal: Int32 {
    switch self {
    case .killRank, .killRanks, .killLauncher: SIGKILL
    case .terminateRanks, .terminateLauncher: SIGTERM
    case .askRanks, .askLauncher: SIGUSR1
    case .stopRank: SIGSTOP
    }
  }

  var meansLauncher: Bool { self == .killLauncher || self == .terminateLauncher || self == .askLauncher }

  /// One in three soon after the start, one in ten after the last step.
  func moment(using random: inout SplitMix) -> Moment {
    let kind = Int.random(in: 0..<30, using: &random)
    let share = Double.random(in: 0..<1, using: &random)
    if kind < 10 { return Moment(.start, seconds: 0.8 * share) }
    if kind < 13 { return Moment(.lastStep, seconds: 0.1 * share * share) }
    return Moment(.firstStep, seconds: 1.2 * share)
  }
}

/// A moment of a job: some time after something.
struct Moment: CustomStringConvertible {
  enum Origin: String {
    case start, firstStep = "its first step", lastStep = "the run's last step"
  }
  let origin: Origin
  let seconds: Double

  init(_ origin: Origin, seconds: Double) { (self.origin, self.seconds) = (origin, seconds) }

  var description: String { "\(Int(1000 * seconds)) ms after \(origin.rawValue)" }

  /// Returns whether it has come; false where the job has ended before.
  func wait(for blow: Blow) -> Bool {
    func isReached() -> Bool {
      guard origin != .start, let now = try? RunEvents(blow.run) else { return origin == .start }
      return now.stepCount > blow.stepsBefore && (origin == .firstStep || now.lastStep == KillLoop.lastStep)
    }
    while !isReached() {
      if blow.isOver { return false }
      usleep(3_000)
    }
    usleep(UInt32(1e6 * seconds))
    // Something must be there to be struck.
    while blow.targets().isEmpty {
      if blow.isOver { return false }
      usleep(1_000)
    }
    return true
  }
}
