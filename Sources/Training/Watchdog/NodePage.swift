import CSystem
import Collectives
import Foundation
import MPI

/// What the ranks of a node tell of themselves, in memory that each of them sees.
final class NodePage: @unchecked Sendable {  // Made once; the words are read and written whole.
  /// The ranks of the node, ascending, and this one's place among them.
  let ranks: [Int]
  let place: Int
  let activities: [Activity]
  /// Whether a rank's process number means the same to this one: not in a container with numbers of its own.
  private let sharesNumbers: [Bool]
  /// Kept for the memory; it goes with the process, because a rank that fails does not wait for others.
  private let memory: Box?

  private final class Box {
    let window: SharedWindow
    init(_ window: consuming SharedWindow) { self.window = window }
  }

  var own: Activity { activities[place] }

  /// Collective.
  init(_ world: Communicator, _ nodes: Nodes) throws {
    ranks = nodes.ranks[nodes.index]
    place = nodes.node.rank
    if ranks.count == 1 {
      activities = [Activity()]
      memory = nil
    } else {
      let box = Box(try SharedWindow(on: nodes.node, byteCount: Activity.byteCount))
      activities = ranks.indices.map { rank in
        guard let base = box.window.part(of: rank).baseAddress else { preconditionFailure("a part without memory") }
        return Activity(at: base.assumingMemoryBound(to: UInt64.self))
      }
      memory = box
    }
    let spaces = try nodes.node.allGather(
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? "")
    sharesNumbers = spaces.map { [place] in $0 == spaces[place] }
    own[.process] = UInt64(getpid())
    cs_note_faults(own.pointer(.ending), Ending.faultMark)
    // Nobody takes a rank for dead that has not said which process it is.
    try nodes.node.barrier()
  }

  func status(of index: Int) -> RankStatus {
    let activity = activities[index]
    let process = Int(activity[.process])
    var life = RankStatus.Life.running
    var signal = 0
    switch Ending(activity[.ending]) {
    case .ended: life = .ended
    case .fault(let number): (life, signal) = (.dead, number)
    // Whose number means another process here tells of its end itself, or is seen to stand still.
    case .running where !sharesNumbers[index]: break
    case .running:
      switch UInt8(bitPattern: cs_process_state(Int32(process))) {
      case 0, UInt8(ascii: "Z"), UInt8(ascii: "X"):
        // It may have ended itself between the two looks.
        life = Ending(activity[.ending]) == .ended ? .ended : .dead
      case UInt8(ascii: "T"), UInt8(ascii: "t"): life = .stopped
      default: break
      }
    }
    var status = RankStatus(
      rank: ranks[index], process: process, life: life, signal: signal,
      operation: Operation(rawValue: Int(activity[.operation])) ?? .starting, detail: Int(activity[.detail]),
      step: Int(activity[.step]), progress: activity[.progress])
    if status.operation == .readingData { status.file = activity.text.replacing("\n", with: " ") }
    return status
  }

  /// The process of a rank that has not ended; nil where it cannot be reached from here.
  func process(of index: Int) -> Int32? { sharesNumbers[index] ? Int32(activities[index][.process]) : nil }

  var statuses: [RankStatus] { activities.indices.map(status) }
}
