/// What a simulated all-reduce took, and what went over which link.
public struct SimulationResult: Hashable, Sendable {
  /// From when the first rank began to when the last was done.
  public var seconds: Double
  /// When each rank was done.
  public var finish: [Double]
  public var rounds: Int
  public var messages: Int
  /// Sent by all ranks together.
  public var bytes: Int
  /// Sent by the rank that sent the most.
  public var mostBytesOfARank: Int
  /// The link that was busy for the longest; nil where nothing was sent.
  public var busiestLink: BusyLink?

  public struct BusyLink: Hashable, Sendable {
    public enum Place: Hashable, Sendable {
      case outOfRank(Int)
      case intoRank(Int)
      case outOfNode(Int)
      case intoNode(Int)
    }
    public var place: Place
    public var bytes: Int
    /// How long the link carried something.
    public var seconds: Double

    public var text: String {
      switch place {
      case .outOfRank(let rank): "out of rank \(rank)"
      case .intoRank(let rank): "into rank \(rank)"
      case .outOfNode(let node): "out of node \(node)"
      case .intoNode(let node): "into node \(node)"
      }
    }
  }
}

/// Bytes and busy seconds of every link.
struct SimulatedTraffic {
  private struct Load {
    var bytes = 0
    var seconds = 0.0
  }
  private let network: NetworkModel
  private var outOfRank: [Load]
  private var intoRank: [Load]
  private var outOfNode: [Load]
  private var intoNode: [Load]
  private var sent: [Int]
  private(set) var messages = 0

  init(_ network: NetworkModel, ranks: Int) {
    self.network = network
    outOfRank = Array(repeating: Load(), count: ranks)
    intoRank = outOfRank
    outOfNode = Array(repeating: Load(), count: network.node(of: ranks - 1) + 1)
    intoNode = outOfNode
    sent = Array(repeating: 0, count: ranks)
  }

  /// Messages inside of a node load the two ranks' links, others the two nodes'.
  mutating func count(_ transfer: SimulatedRound.Transfer, seconds: Double, crosses: Bool) {
    count(
      transfer.source, transfer.destination, bytes: 4 * transfer.elements, messages: transfer.messages,
      seconds: seconds, crosses: crosses)
  }

  mutating func count(_ source: Int, _ destination: Int, bytes: Int, messages: Int, seconds: Double, crosses: Bool) {
    self.messages += messages
    sent[source] += bytes
    if crosses {
      Self.add(&outOfNode[network.node(of: source)], bytes, seconds)
      Self.add(&intoNode[network.node(of: destination)], bytes, seconds)
    } else {
      Self.add(&outOfRank[source], bytes, seconds)
      Self.add(&intoRank[destination], bytes, seconds)
    }
  }

  private static func add(_ load: inout Load, _ bytes: Int, _ seconds: Double) {
    load.bytes += bytes
    load.seconds += seconds
  }

  var bytes: Int { sent.reduce(0, +) }
  var mostBytesOfARank: Int { sent.max() ?? 0 }

  var busiest: SimulationResult.BusyLink? {
    typealias Link = SimulationResult.BusyLink
    let groups: [([Load], (Int) -> Link.Place)] = [
      (outOfNode, Link.Place.outOfNode), (intoNode, Link.Place.intoNode), (outOfRank, Link.Place.outOfRank),
      (intoRank, Link.Place.intoRank),
    ]
    var best: Link?
    for (loads, place) in groups {
      for (index, load) in loads.enumerated() where load.bytes > 0 && load.seconds > best?.seconds ?? -1 {
        best = Link(place: place(index), bytes: load.bytes, seconds: load.seconds)
      }
    }
    return best
  }
}
