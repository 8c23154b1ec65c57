import Determinism
import Foundation

/// Time that ranks lose in each step on purpose, while they compute: stragglers for trying methods out. It changes no bit of
/// those that have any.
public struct InjectedDelay: Sendable, Hashable, CustomStringConvertible {
  /// The only rank that is slow; nil for all.
  public var rank: Int?
  /// Whether each time is drawn from 0 up to twice `milliseconds`.
  public var isRandom = false
  /// Of each step.
  public var milliseconds: Double

  /// `RANK:MS`, `random:MS`, or `MS` for all ranks; nil for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let milliseconds = Double(parts[parts.count - 1]), milliseconds >= 0,
      milliseconds <= 60_000
    else { return nil }
    self.milliseconds = milliseconds
    guard parts.count == 2 else { return }
    if parts[0] == "random" {
      isRandom = true
    } else {
      guard let rank = Int(parts[0]), rank >= 0 else { return nil }
      self.rank = rank
    }
  }

  public var description: String {
    (isRandom ? "random:" : rank.map { "\($0):" } ?? "")
      + (milliseconds == milliseconds.rounded() ? "\(Int(milliseconds))" : "\(milliseconds)")
  }

  /// Of a rank's turn, in seconds.
  package func seconds(rank: Int, turn: Int) -> Double {
    if let slow = self.rank, slow != rank { return 0 }
    guard isRandom else { return milliseconds / 1000 }
    let draw = RandomStream(seed: 0, purpose: "delay").uniform(
      0, sample: UInt32(rank), step: UInt32(truncatingIfNeeded: turn))
    return 2 * Double(draw) * milliseconds / 1000
  }

  func wait(rank: Int, turn: Int) {
    let seconds = seconds(rank: rank, turn: turn)
    if seconds > 0 { Thread.sleep(forTimeInterval: seconds) }
  }
}
