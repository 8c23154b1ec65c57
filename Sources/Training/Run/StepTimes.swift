import Foundation

/// Where the time of steps goes. The phases are those of `Trainer.step`.
public struct StepTimes: Sendable {
  public enum Phase: Int, Sendable, CaseIterable {
    case data, compute, communication, update
    /// Between steps: copies of the state.
    case saving
  }

  /// Parts of a whole.
  public struct Shares: Sendable {
    public var data = 0.0
    public var compute = 0.0
    /// Waited for.
    public var communication = 0.0
    /// Under way while gradients were computed; a part of `compute`.
    public var hiddenCommunication = 0.0
    public var update = 0.0
    public var saving = 0.0
  }

  private var nanoseconds = [UInt64](repeating: 0, count: Phase.allCases.count)
  private var last = DispatchTime.now().uptimeNanoseconds

  public init() {}

  private var hidden: UInt64 = 0
  private var phase: Phase?

  /// Ends the phase before and begins another, or none, whose time counts for nothing.
  mutating func enter(_ next: Phase?) {
    let now = DispatchTime.now().uptimeNanoseconds
    if let phase { nanoseconds[phase.rawValue] += now - last }
    (phase, last) = (next, now)
  }

  /// Nanoseconds of the computation in which sums of gradients were under way.
  mutating func hide(_ nanoseconds: UInt64) { hidden += nanoseconds }

  public var shares: Shares {
    let total = max(1, Double(nanoseconds.reduce(0, +)))
    func share(_ phase: Phase) -> Double { Double(nanoseconds[phase.rawValue]) / total }
    return Shares(
      data: share(.data), compute: share(.compute), communication: share(.communication),
      hiddenCommunication: Double(hidden) / total, update: share(.update), saving: share(.saving))
  }

  /// Nanoseconds of a rank's own work, and of what it does with others, waiting for them included.
  var work: UInt64 { self[.data] + self[.compute] + self[.update] }
  var exchange: UInt64 { self[.communication] }

  /// Nanoseconds booked to a phase.
  public subscript(phase: Phase) -> UInt64 { nanoseconds[phase.rawValue] }
}
