/// The clocks and links of a simulation under way.
struct SimulationState {
  private let simulation: Simulation
  private var clock: [Double]
  /// When each rank's last send of this round has left, and its last receive has come.
  private var out: [Double]
  private var into: [Double]
  /// When a rank's messages and sums meanwhile have ended.
  private var end: [Double]
  private let sharesLinks: Bool
  private var nodeOut: [LinkCalendar]
  private var nodeIn: [LinkCalendar]
  private var traffic: SimulatedTraffic
  private let begin: Double

  init(_ simulation: Simulation, start: [Double]?) {
    self.simulation = simulation
    clock = start ?? Array(repeating: 0, count: simulation.ranks)
    begin = clock.min() ?? 0
    (out, into, end) = (clock, clock, clock)
    let nodes = simulation.network.node(of: simulation.ranks - 1) + 1
    sharesLinks = simulation.network.ranksPerNode > 1 && nodes > 1
    nodeOut = Array(repeating: LinkCalendar(), count: sharesLinks ? nodes : 0)
    nodeIn = nodeOut
    traffic = SimulatedTraffic(simulation.network, ranks: simulation.ranks)
  }

  mutating func carryOut(_ round: SimulatedRound) {
    (out, into, end) = (clock, clock, clock)
    if sharesLinks {
      let now = clock.min() ?? 0
      for node in nodeOut.indices {
        nodeOut[node].forget(before: now)
        nodeIn[node].forget(before: now)
      }
    }
    for transfer in inOrder(round.transfers) { send(transfer) }
    for sum in round.meanwhile {
      let made = clock[sum.rank] + Double(sum.additions) * simulation.additionSeconds(sum.rank)
      end[sum.rank] = max(end[sum.rank], made)
    }
    for sum in round.sums { end[sum.rank] += Double(sum.additions) * simulation.additionSeconds(sum.rank) }
    swap(&clock, &end)
  }

  private mutating func send(_ transfer: SimulatedRound.Transfer) {
    let (source, destination) = (transfer.source, transfer.destination)
    let way = simulation.way(transfer)
    traffic.count(transfer, seconds: way.seconds, crosses: way.crosses)
    var left = max(clock[source], clock[destination], out[source])
    if way.crosses && sharesLinks {
      let node = simulation.network.node(of: source)
      left = nodeOut[node].reserve(from: left, seconds: way.seconds)
    }
    out[source] = left + way.rankSeconds
    var came = max(left + way.latency, into[destination])
    if way.crosses && sharesLinks {
      let node = simulation.network.node(of: destination)
      came = nodeIn[node].reserve(from: came, seconds: way.seconds)
    }
    into[destination] = came + way.rankSeconds
    end[source] = max(end[source], out[source])
    end[destination] = max(end[destination], into[destination])
  }

  /// First those that can begin first; of such at the same time, those of lower ranks.
  private func inOrder(_ transfers: [SimulatedRound.Transfer]) -> [SimulatedRound.Transfer] {
    func ready(_ transfer: SimulatedRound.Transfer) -> Double {
      max(clock[transfer.source], clock[transfer.destination])
    }
    func isBefore(_ a: SimulatedRound.Transfer, _ b: SimulatedRound.Transfer) -> Bool {
      (ready(a), a.source, a.destination) < (ready(b), b.source, b.destination)
    }
    for index in transfers.indices.dropFirst() where !isBefore(transfers[index - 1], transfers[index]) {
      return transfers.sorted(by: isBefore)
    }
    return transfers
  }

  func result(rounds: Int) -> SimulationResult {
    SimulationResult(
      seconds: (clock.max() ?? 0) - begin, finish: clock, rounds: rounds, messages: traffic.messages,
      bytes: traffic.bytes, mostBytesOfARank: traffic.mostBytesOfARank, busiestLink: traffic.busiest)
  }
}
