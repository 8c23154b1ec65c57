/// The networks that the command line knows; figures stand in docs/simulator.md.
public enum NamedNetwork: String, Sendable, CaseIterable {
  case ethernet10 = "10gbit"
  case ethernet25 = "25gbit"
  case infiniBand100 = "100gbit"
  case loopback

  /// Latency between nodes, in seconds.
  public var latency: Double {
    switch self {
    case .ethernet10: 30e-6
    case .ethernet25: 10e-6
    case .infiniBand100: 2e-6
    case .loopback: Self.insideANode.latency
    }
  }

  /// Line rate between nodes, in bytes a second and direction.
  public var bytesPerSecond: Double {
    switch self {
    case .ethernet10: 10e9 / 8
    case .ethernet25: 25e9 / 8
    case .infiniBand100: 100e9 / 8
    case .loopback: 1 / Self.insideANode.secondsPerByte
    }
  }

  /// Messages between two processes of one machine, as measured on the one of docs/simulator.md.
  public static let insideANode = NetworkModel.Link(latency: 0.9e-6, secondsPerByte: 0.36e-9)
  /// Seconds to add a byte, measured likewise.
  public static let secondsPerAddedByte = 0.05e-9

  /// - Parameter ranksPerNode: for `loopback` all ranks.
  public func network(ranksPerNode: Int) -> NetworkModel {
    NetworkModel(
      inside: Self.insideANode, between: .init(latency: latency, secondsPerByte: 1 / bytesPerSecond),
      secondsPerAddedByte: Self.secondsPerAddedByte, ranksPerNode: ranksPerNode)
  }
}
