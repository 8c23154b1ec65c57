/// What stragglers cost a run, and what each method would have made of the same computing times.
///
/// Methods differ in who waits for whom (`WaitingLaw`); that, and nothing else, is predicted here. Times of exchanges are taken
/// from the run for all methods, and servers to keep up.
public struct StragglerReport: Codable, Sendable, Hashable {
  /// The latest, of this start of the run.
  public var steps: Int
  /// Of an exchange between ranks that are all there.
  public var exchangeSeconds: Double
  /// Of the time of all ranks, in waiting for others.
  public var shareOfWaiting: Double
  public var slowest: Int
  /// Of what is waited for in each step, the part that the slowest rank makes others wait; nil where nobody waits for a rank.
  public var shareForSlowest: Double?
  /// By rank, servers left out.
  public var ranks: [Rank]
  public var methods: [Method]

  public struct Rank: Codable, Sendable, Hashable {
    /// Of its part of a step, in the mean.
    public var workSeconds: Double
    public var shareOfWaiting: Double

    enum CodingKeys: String, CodingKey {
      case workSeconds = "work_seconds"
      case shareOfWaiting = "share_of_waiting"
    }
  }

  public struct Method: Codable, Sendable, Hashable {
    public var name: String
    /// Predicted, of samples that train: those of gradients that are dropped do not count, as in a run's own rate.
    public var samplesPerSecond: Double
    public var shareDropped: Double
    /// Samples that train, over those of synchronous SGD in the same time.
    public var gain: Double
    /// Of the method that ran.
    public var measured: Double?

    enum CodingKeys: String, CodingKey {
      case name
      case samplesPerSecond = "samples_per_second"
      case shareDropped = "share_dropped"
      case gain, measured
    }
  }

  enum CodingKeys: String, CodingKey {
    case steps
    case exchangeSeconds = "exchange_seconds"
    case shareOfWaiting = "share_of_waiting"
    case slowest
    case shareForSlowest = "share_for_slowest"
    case ranks, methods
  }

  /// Seconds of the rank in the middle of all but the slowest.
  public var middleSeconds: Double {
    let others = ranks.indices.filter { $0 != slowest }.map { ranks[$0].workSeconds }.sorted()
    return others.isEmpty ? ranks[slowest].workSeconds : others[others.count / 2]
  }

  /// Whether a run speaks of it unasked: in 30 seconds of steps or more, a quarter of all ranks' time went by in waiting, and the
  /// slowest rank works half as long again as the one in the middle.
  package func isNotable(seconds: Double) -> Bool {
    seconds >= 30 && shareOfWaiting >= 0.25 && ranks[slowest].workSeconds >= 1.5 * middleSeconds
  }
}

/// Times of a run's turns, as the ranks that compute have measured them.
package struct MeasuredTurns {
  /// Seconds of each rank's turns.
  var work: [[Double]]
  var exchange: [[Double]]

  /// - Parameter numbers: `TurnTimes.numbers` of each rank.
  package init(_ numbers: some Collection<[Float]>) {
    work = numbers.map { $0.prefix($0.count / 2).map(Double.init) }
    exchange = numbers.map { $0.suffix($0.count / 2).map(Double.init) }
  }

  /// Seconds of an exchange in which nobody is waited for, in the mean: whoever comes last to it does not wait.
  package func exchangeSeconds(_ law: WaitingLaw) -> Double {
    func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
    let steps = exchange.map(\.count).min() ?? 0
    let shortest = (0..<steps).map { step in exchange.map { $0[step] }.min() ?? 0 }
    switch law {
    // In the steps between meetings there is no exchange.
    case .everybody(let interval): return shortest.reduce(0, +) / Double(max(steps / interval, 1))
    case .neighbours: return mean(shortest)
    case .allBut:
      // The ranks' turns are of different steps. In each one comes last, of all.
      let all = exchange.flatMap { $0 }.sorted()
      return mean(all.prefix(max(1, all.count / exchange.count)))
    case .nobody: return mean(exchange.flatMap { $0 })
    }
  }
}

extension StragglerReport {
  /// - Parameters:
  ///   - samplesPerStep: of the global batch.
  ///   - measured: samples a second of the run.
  ///   - ran: which of `methods` the run was trained by.
  ///   - ticketsPerStep: turns that a rank has in a step.
  /// - Returns: nil where less than two ranks compute, or one has taken no turn.
  package init?(
    _ turns: MeasuredTurns, _ methods: [StragglerMethod], ran: StragglerMethod, samplesPerStep: Double,
    measured: Double, ticketsPerStep: Double = 1
  ) {
    guard turns.work.count > 1, turns.work.allSatisfy({ !$0.isEmpty }) else { return nil }
    let timetable = Timetable(turns: turns.work.map { $0.map { ticketsPerStep * $0 } })
    let exchangeOfTurn = turns.exchangeSeconds(ran.law)
    let exchange = ticketsPerStep * exchangeOfTurn
    exchangeSeconds = exchange
    steps = timetable.steps
    let means = timetable.means
    slowest = means.indices.max { means[$0] < means[$1] } ?? 0
    let waits = turns.exchange.map { times in
      // An exchange is at a meeting; between meetings there is nothing to wait for.
      ran.law == .nobody ? 0 : times.reduce(0) { $0 + max(0, $1 - exchangeOfTurn) }
    }
    let totals = zip(turns.work, turns.exchange).map { ($0 + $1).reduce(0, +) }
    ranks = means.indices.map { Rank(workSeconds: means[$0], shareOfWaiting: waits[$0] / max(totals[$0], 1e-9)) }
    shareOfWaiting = waits.reduce(0, +) / max(totals.reduce(0, +), 1e-9)
    let cost = StepCost(exchange: exchange)
    let waitedFor = ran.law.pace(timetable, cost).waitedFor
    let total = waitedFor.reduce(0, +)
    shareForSlowest = waitedFor.isEmpty || total == 0 ? nil : waitedFor[slowest] / total
    let perTurn = samplesPerStep / Double(timetable.ranks)
    let synchronous = WaitingLaw.everybody(every: 1).pace(timetable, cost).turnsPerSecond
    self.methods = methods.map { method in
      let pace = method.law.pace(timetable, cost)
      return Method(
        name: method.name, samplesPerSecond: perTurn * pace.usefulTurnsPerSecond, shareDropped: pace.shareDropped,
        gain: pace.usefulTurnsPerSecond / max(synchronous, 1e-9), measured: method == ran ? measured : nil)
    }
  }
}
