import Foundation
import TestSupport

/// A disturbance of one job: who gets the signal, what the run was at, and how the job may end.
final class Blow {
  let disturbance: Disturbance
  let ranks: Int
  let run: URL
  /// Steps that starts before have reported.
  let stepsBefore: Int
  /// Decides which rank, where one is meant.
  let choice: Int
  private let begin = ContinuousClock.now
  /// What the run was at; nil before.
  private(set) var place: String?
  /// Exit codes that are right.
  private(set) var codes: Set<Int32> = [0]
  /// Where ranks were asked to stop that listened: they do so within some steps of this process's slow look.
  private(set) var stepToStopBefore: Int?

  init(_ disturbance: Disturbance, ranks: Int, run: URL, stepsBefore: Int, choice: Int) {
    (self.disturbance, self.ranks, self.run) = (disturbance, ranks, run)
    (self.stepsBefore, self.choice) = (stepsBefore, choice)
  }

  /// The launcher, this process's child, until it has ended.
  var launcher: pid_t? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.lazy.compactMap(pid_t.init).first { process in
      guard let command = contents(ofFile: "/proc/\(process)/cmdline") else { return false }
      let words = String(decoding: command, as: UTF8.self).split(separator: "\0")
      return words.first == "mpirun" && words.contains(run.path[...]) && Self.parent(of: process) == getpid()
    }
  }

  private static func parent(of process: pid_t) -> pid_t? {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return nil }
    return text.split(separator: ") ").last?.split(separator: " ").dropFirst().first.flatMap { pid_t($0) }
  }

  /// Whether the job has ended; one that has not begun has half a second.
  var isOver: Bool { launcher == nil && begin.duration(to: .now) > .seconds(0.5) }

  func targets() -> [pid_t] {
    if disturbance.meansLauncher { return launcher.map { [$0] } ?? [] }
    let found = ((try? processes(of: run.path)) ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    switch disturbance {
    case .killRank, .stopRank: return found.isEmpty ? [] : [found[choice % found.count]]
    default: return found
    }
  }

  func strike() {
    let targets = targets()
    let isHeard = isHeard(launcher: disturbance.meansLauncher ? targets.first : nil)
    place = findPlace()
    codes = Self.codes(disturbance, isHeard: isHeard)
    for process in targets { kill(process, disturbance.signal) }
    if isHeard, disturbance == .askRanks || disturbance == .terminateRanks {
      stepToStopBefore = (try? RunEvents(run).lastStep).map { $0 + 50 }
    }
  }

  /// Whether all who are to hear a request have begun to listen.
  private func isHeard(launcher: pid_t?) -> Bool {
    let found = ((try? processes(of: run.path)) ?? [:]).values
    return found.count == ranks
      && (Array(found) + (launcher.map { [$0] } ?? [])).allSatisfy { process in
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
          let mask = text.firstMatch(of: /SigCgt:\s+([0-9a-f]+)/).flatMap({ UInt64($0.1, radix: 16) })
        else { return false }
        return mask & (1 << UInt64(disturbance.signal - 1)) != 0
      }
  }

  private static func codes(_ disturbance: Disturbance, isHeard: Bool) -> Set<Int32> {
    switch disturbance {
    // 0 where it was done before the signal came.
    case .killRank, .killRanks, .killLauncher: [137, 0]
    // One that is stopped when the others have ended is killed.
    case .stopRank: [70, 0, 137]
    // It gives its ranks a second and has a code of its own.
    case .terminateLauncher: isHeard ? [1, 0] : [1, 0, 143]
    case .terminateRanks, .askRanks, .askLauncher: isHeard ? [75, 0] : [75, 0, 128 + disturbance.signal]
    }
  }

  private func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: run.appendingPathComponent(name).path)
  }

  private func findPlace() -> String {
    if (try? processes(of: run.path))?.isEmpty ?? true { return "no rank yet, or none any more" }
    if exists("summary.json") { return "after the summary" }
    guard let events = try? RunEvents(run), events.stepCount > stepsBefore else { return "start of the ranks" }
    let files =
      (try? FileManager.default.contentsOfDirectory(atPath: run.appendingPathComponent("checkpoints").path)) ?? []
    let place = events.isEvaluating ? "evaluation" : events.lastStep == KillLoop.lastStep ? "end" : "steps"
    return place + (files.contains { $0.hasPrefix(".step-") } ? " while saving" : "")
  }
}
