import Determinism
import Foundation

/// Time that ranks lose in each step on purpose, while they compute: stragglers for trying methods out. It changes no bit of
/// those that have any.
public struct InjectedDelay: Sendable, Hashable, CustomStringConvertible {
  /// One of the times that add up.
  struct Part: Hashable, CustomStringConvertible {
    enum Distribution: String {
      case constant
      /// From 0 up to twice the mean.
      case uniform = "random"
      case exponential
    }
    var distribution = Distribution.constant
    /// The only rank that is slow; nil for all.
    var rank: Int?
    /// Of each step, in the mean.
    var milliseconds: Double
  }

  private let parts: [Part]

  /// `MS` for all ranks, `RANK:MS`, `random:MS`, `exponential:MS`, or several of them as `20,3:60`, which add up; nil for
  /// anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Part(String($0)) }
    guard parts.allSatisfy({ $0 != nil }) else { return nil }
    self.parts = parts.compactMap { $0 }
  }

  public var description: String { parts.map(\.description).joined(separator: ",") }

  private var highestRank: Int? { parts.compactMap(\.rank).max() }

  /// Of a rank's turn, in seconds.
  package func seconds(rank: Int, turn: Int, seed: UInt64 = 0) -> Double {
    parts.enumerated().reduce(0) { sum, part in
      sum + part.element.seconds(rank: rank, turn: turn, element: part.offset, seed: seed)
    }
  }

  /// Stops where a slow rank is none of those that compute.
  /// - Throws: 64.
  public func check(ranks: Int) throws {
    guard let highestRank, highestRank >= ranks else { return }
    throw TrainingError(
      .badConfiguration,
      "--delay \(self) names rank \(highestRank), but \(count(ranks, "rank")) compute\(ranks == 1 ? "s" : ""): "
        + "give one from 0 to \(ranks - 1).")
  }

  func wait(rank: Int, turn: Int) {
    let seconds = seconds(rank: rank, turn: turn)
    if seconds > 0 { Thread.sleep(forTimeInterval: seconds) }
  }
}

extension InjectedDelay.Part {
  init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let milliseconds = Double(parts[parts.count - 1]), milliseconds >= 0,
      milliseconds <= 60_000
    else { return nil }
    self.milliseconds = milliseconds
    guard parts.count == 2 else { return }
    if let distribution = Distribution(rawValue: String(parts[0])), distribution != .constant {
      self.distribution = distribution
    } else {
      guard let rank = Int(parts[0]), rank >= 0 else { return nil }
      self.rank = rank
    }
  }

  var description: String {
    (distribution == .constant ? rank.map { "\($0):" } ?? "" : "\(distribution.rawValue):")
      + (milliseconds == milliseconds.rounded() ? "\(Int(milliseconds))" : "\(milliseconds)")
  }

  /// - Parameter element: what makes equal parts of a delay draw different numbers.
  func seconds(rank: Int, turn: Int, element: Int, seed: UInt64) -> Double {
    if let slow = self.rank, slow != rank { return 0 }
    let mean = milliseconds / 1000
    if distribution == .constant { return mean }
    let draw = Double(
      RandomStream(seed: seed, purpose: "delay").uniform(
        element, sample: UInt32(rank), step: UInt32(truncatingIfNeeded: turn)))
    return distribution == .uniform ? 2 * draw * mean : -log(1 - draw) * mean
  }
}
