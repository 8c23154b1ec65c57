extension Simulation {
  /// The ring of one segment in a loop of its own, because with thousands of ranks it has half a thousand million messages.
  ///
  /// Has the results of the rounds (`SimulationTests`) to rounding: in a half, one rank of a node sends out of it and one takes
  /// in, so nobody waits for a shared link, unless a straggler makes the halves overlap. Nil for what it is not made for.
  func run(ring: RingRounds, start: [Double]?) -> SimulationResult? {
    guard ring.segments == 1, ranks > 2, ring.elements > 0 else { return nil }
    var clock = start ?? Array(repeating: 0, count: ranks)
    let begin = clock.min() ?? 0
    let ways = RingWays(self, ring)
    if ring.elements >= ranks {
      advanceAll(&clock, ways)
    } else {
      advanceFew(&clock, ways, ring)
    }
    return SimulationResult(
      seconds: (clock.max() ?? 0) - begin, finish: clock, rounds: ring.rounds, messages: ways.messages,
      bytes: ways.traffic.bytes, mostBytesOfARank: ways.traffic.mostBytesOfARank, busiestLink: ways.traffic.busiest)
  }

  /// Every rank sends in every round.
  private func advanceAll(_ clock: inout [Double], _ ways: RingWays) {
    var next = clock
    // Sound: all indices lie in arrays of `ranks`, the counts' window in one of twice that and one more.
    ways.withUnsafePointers { counts, latency, perElement, perMessage, addition in
      for round in 0..<2 * (ranks - 1) {
        let gathers = round >= ranks - 1
        // What rank 0 sends: rank r sends the chunk r further on.
        let first = gathers ? round - (ranks - 1) : ranks - 1 - round
        clock.withUnsafeBufferPointer { clock in
          next.withUnsafeMutableBufferPointer { next in
            /// - Parameters: the rank, what it sends to and receives from, and the lower ranks of the links to these.
            @inline(__always)
            func step(_ rank: Int, _ to: Int, _ from: Int, _ linkOut: Int, _ linkIn: Int, _ sum: Double) {
              let left = max(clock[rank], clock[to]) + counts[first + rank] * perElement[linkOut] + perMessage[linkOut]
              let received = counts[first + from]
              let came = max(clock[rank], clock[from]) + received * perElement[linkIn] + perMessage[linkIn]
              next[rank] = max(left, came + latency[linkIn]) + sum * received * addition[rank]
            }
            if gathers {
              step(0, ranks - 1, 1, ranks - 1, 0, 0)
              for rank in 1..<ranks - 1 { step(rank, rank - 1, rank + 1, rank - 1, rank, 0) }
              step(ranks - 1, ranks - 2, 0, ranks - 2, ranks - 1, 0)
            } else {
              step(0, 1, ranks - 1, 0, ranks - 1, 1)
              for rank in 1..<ranks - 1 { step(rank, rank + 1, rank - 1, rank, rank - 1, 1) }
              step(ranks - 1, 0, ranks - 2, ranks - 1, ranks - 2, 1)
            }
          }
        }
        swap(&clock, &next)
      }
    }
  }

  /// Fewer elements than ranks: only the chunks that have one travel.
  private func advanceFew(_ clock: inout [Double], _ ways: RingWays, _ ring: RingRounds) {
    let chunks = (0..<ranks).filter { ring.count(chunk: $0, segment: 0) > 0 }
    var next = clock
    for round in 0..<2 * (ranks - 1) {
      let gathers = round >= ranks - 1
      let hop = gathers ? round - (ranks - 1) : round
      func ends(_ chunk: Int) -> (source: Int, destination: Int, link: Int) {
        let source = (gathers ? chunk - hop + ranks : chunk + 1 + hop) % ranks
        let destination = (gathers ? source + ranks - 1 : source + 1) % ranks
        return (source, destination, gathers ? destination : source)
      }
      for chunk in chunks {
        let (source, destination, link) = ends(chunk)
        let left = max(clock[source], clock[destination]) + ways.perElement[link] + ways.perMessage[link]
        next[source] = max(next[source], left)
        next[destination] = max(next[destination], left + ways.latency[link])
      }
      for chunk in chunks where !gathers {
        let (_, destination, _) = ends(chunk)
        next[destination] += ways.addition[destination]
      }
      for chunk in chunks {
        let (source, destination, _) = ends(chunk)
        clock[source] = next[source]
        clock[destination] = next[destination]
      }
    }
  }
}

/// What messages between each rank and the next one cost, either way.
private struct RingWays {
  var latency: [Double] = []
  /// Seconds of an element for the two ranks.
  var perElement: [Double] = []
  /// Seconds of a message for the two ranks, beside its elements.
  var perMessage: [Double] = []
  var addition: [Double] = []
  /// Elements of each chunk, twice and once more, so that any rank may come first.
  private var counts: [Double] = []
  private(set) var traffic: SimulatedTraffic
  private(set) var messages = 0

  init(_ simulation: Simulation, _ ring: RingRounds) {
    let ranks = ring.ranks
    traffic = SimulatedTraffic(simulation.network, ranks: ranks)
    let sizes = (0..<ranks).map { ring.count(chunk: $0, segment: 0) }
    counts = (sizes + sizes + sizes.prefix(1)).map(Double.init)
    let used = sizes.count { $0 > 0 }
    for rank in 0..<ranks {
      let after = (rank + 1) % ranks
      func way(_ elements: Int, _ messages: Int) -> Simulation.Way {
        simulation.way(.init(rank, after, elements: elements, messages: messages))
      }
      latency.append(way(0, 0).latency)
      perElement.append(way(1, 0).rankSeconds)
      perMessage.append(way(0, 1).rankSeconds)
      addition.append(simulation.additionSeconds(rank))
      // It sends all chunks but the one that ends with it on, then all but the one that its way back ends with back.
      let before = (rank + ranks - 1) % ranks
      for (other, kept) in [(after, rank), (before, before)] {
        let (elements, messages) = (ring.elements - sizes[kept], used - (sizes[kept] > 0 ? 1 : 0))
        let whole = simulation.way(.init(rank, other, elements: elements, messages: messages))
        traffic.count(
          rank, other, bytes: 4 * elements, messages: messages, seconds: whole.seconds, crosses: whole.crosses)
      }
    }
    messages = traffic.messages
  }

  func withUnsafePointers(
    _ body: (
      _ counts: UnsafePointer<Double>, _ latency: UnsafePointer<Double>, _ perElement: UnsafePointer<Double>,
      _ perMessage: UnsafePointer<Double>, _ addition: UnsafePointer<Double>
    ) -> Void
  ) {
    // Swift passes arrays as pointers that hold for the call.
    body(counts, latency, perElement, perMessage, addition)
  }
}
