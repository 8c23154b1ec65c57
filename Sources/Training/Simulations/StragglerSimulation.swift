import Collectives

/// What each method makes of slow ranks, by the number of ranks, on a modelled network.
///
/// Exchanges are costed among ranks that are all there; what ranks wait for each other is the method's `WaitingLaw`.
public struct StragglerSimulation: Sendable {
  /// Its `stragglers` make ranks compute slowly; messages go at the usual speed.
  public var cluster: SimulatedCluster
  public var ranks: [Int]
  public var step: StepSimulation
  public var delay: InjectedDelay?
  /// Steps that are drawn.
  public var steps = 100
  public var allReduce = AllReduceAlgorithm.auto
  public var localSteps = 16
  public var backup = 1
  /// Parameter servers, each with a link of its own, beside the ranks.
  public var servers = 1

  public init(_ cluster: SimulatedCluster, ranks: [Int], step: StepSimulation, delay: InjectedDelay?) {
    (self.cluster, self.ranks, self.step, self.delay) = (cluster, ranks, step, delay)
  }

  /// One line of the table.
  public struct Row: Sendable, Hashable {
    /// Those that compute; servers are beside them.
    public var ranks: Int
    public var method: StragglerMethod
    public var cost: StepCost
    public var pace: Pace
    /// Of a step of all ranks, in the mean.
    public var stepSeconds: Double
    /// Samples that train, over those of as many ranks alone, each with no other to wait for and nothing to lose time by.
    public var efficiency: Double
    /// Likewise over synchronous SGD.
    public var gain: Double
  }

  /// - Parameter observe: called for each row, methods within ranks.
  public func run(_ observe: (Row) throws -> Void) throws {
    for ranks in ranks {
      let timetable = timetable(ranks)
      let costs = try ExchangeCosts(self, ranks: ranks)
      let base = WaitingLaw.everybody(every: 1).pace(timetable, costs.cost(of: .synchronous)).turnsPerSecond
      for name in Recipe.Method.allCases {
        let method = StragglerMethod(name, localSteps: localSteps, backup: backup)
        guard method.isPossible(ranks: ranks) else { continue }
        let cost = costs.cost(of: name)
        let pace = method.law.pace(timetable, cost)
        try observe(
          Row(
            ranks: ranks, method: method, cost: cost, pace: pace,
            stepSeconds: pace.seconds / Double(steps),
            efficiency: pace.usefulTurnsPerSecond * (step.compute + step.update) / Double(ranks),
            gain: pace.usefulTurnsPerSecond / base))
      }
    }
  }

  private func timetable(_ ranks: Int) -> Timetable {
    let slowness = cluster.stragglers?.slowness(ranks: ranks, seed: cluster.seed)
    return Timetable(ranks: ranks, steps: steps) { rank, turn in
      step.compute * (slowness?[rank] ?? 1) + (delay?.seconds(rank: rank, turn: turn, seed: cluster.seed) ?? 0)
    }
  }
}

/// What the methods' exchanges cost so many equal ranks.
private struct ExchangeCosts {
  private let update: Double
  /// What the backward pass does not hide of summing gradients, and all of a sum.
  private let exposed: Double
  private let sum: Double
  private let push: Double
  private let latency: Double
  /// Of all parameters, on a rank's link.
  private let transfer: Double
  /// Transfers of all gradients but those dropped, and of as many parameters, over a server's link.
  private let serverTransfers: Double
  private let servers: Double
  private let localSteps: Double

  init(_ simulation: StragglerSimulation, ranks: Int) throws {
    let network = Simulation(simulation.cluster.network, ranks: ranks)
    let step = simulation.step
    let elements = step.buckets.reduce(0) { $0 + $1.elements }
    update = step.update
    let seconds = try SumTimes(simulation, network, sizes: step.buckets.map(\.elements))
    let end = step.buckets.reduce(0) { max($0, $1.ready) + seconds.of($1.elements) }
    exposed = max(0, end - step.compute)
    sum = step.buckets.reduce(0) { $0 + seconds.of($1.elements) }
    let hops = ExponentialGraph.hops(shards: ranks)
    push =
      hops.reduce(0) { $0 + network.run(Shift(ranks: ranks, hop: $1, elements: elements)).seconds }
      / Double(max(hops.count, 1))
    let link = ranks <= network.network.ranksPerNode ? network.network.inside : network.network.between
    latency = link.latency
    transfer = link.secondsPerMessage + 4 * Double(elements) * link.secondsPerByte
    (servers, localSteps) = (Double(simulation.servers), Double(simulation.localSteps))
    serverTransfers = max(2, Double(2 * ranks - simulation.backup) / servers)
  }

  func cost(of method: Recipe.Method) -> StepCost {
    switch method {
    case .synchronous: StepCost(update: update, exchange: exposed)
    case .local, .easgd: StepCost(update: update, exchange: sum)
    // All gradients come at once, and all parameters leave at once.
    case .backupWorkers: StepCost(exchange: 2 * latency + serverTransfers * transfer + update / servers)
    case .stochasticPush: StepCost(update: update, exchange: push)
    // A worker's own link is its bottleneck where servers are not.
    case .downpour: StepCost(exchange: 2 * (latency + transfer), server: max(transfer, update) / servers)
    case .asynchronousEASGD:
      StepCost(
        update: update, exchange: 2 * (latency + transfer) / localSteps,
        server: max(transfer, update) / servers / localSteps)
    // The coordinator gives a ticket; parameters travel beside the computation.
    case .gossip, .goSGD: StepCost(update: update, exchange: 2 * latency)
    }
  }
}

/// Seconds of sums of many sizes, of which only the least and the greatest of each strategy are simulated: in between they are
/// linear, but for the rounding of parts.
private struct SumTimes {
  private let strategy: (Int) -> Strategy?
  private var ends: [Strategy?: (least: (Int, Double), greatest: (Int, Double))] = [:]

  init(_ straggling: StragglerSimulation, _ network: Simulation, sizes: [Int]) throws {
    let cluster = straggling.cluster
    strategy = {
      straggling.allReduce.strategy(elements: $0, shards: network.ranks, shardsPerGroup: cluster.shardsPerGroup)
    }
    func simulated(_ size: Int) throws -> (Int, Double) {
      guard network.ranks > 1,
        let rounds = try cluster.rounds(straggling.allReduce, ranks: network.ranks, elements: size)
      else { return (size, 0) }
      return (size, network.run(rounds).seconds)
    }
    for (key, sizes) in Dictionary(grouping: sizes, by: strategy) {
      guard let least = sizes.min(), let greatest = sizes.max() else { continue }
      let first = try simulated(least)
      ends[key] = (first, greatest == least ? first : try simulated(greatest))
    }
  }

  func of(_ size: Int) -> Double {
    guard let (least, greatest) = ends[strategy(size)] else { return 0 }
    let span = Double(max(greatest.0 - least.0, 1))
    return least.1 + (greatest.1 - least.1) * Double(size - least.0) / span
  }
}

/// Every rank sends all its parameters to the one `hop` further on.
private struct Shift: RoundSequence {
  let ranks: Int
  let hop: Int
  let elements: Int

  var rounds: Int { 1 }

  func fill(_ round: Int, into value: inout SimulatedRound) {
    for rank in 0..<ranks {
      value.transfers.append(SimulatedRound.Transfer(rank, (rank + hop) % ranks, elements: elements))
    }
  }
}
