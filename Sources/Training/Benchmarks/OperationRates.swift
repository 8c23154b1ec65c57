import Networks

/// What convolutions and inner products reach, by operation and layer: two operations for each multiply-add of a direct
/// sum, whatever the algorithm.
public struct OperationRates: Sendable {
  private let multiplyAdds: [String: Int]
  private let samples: Double
  private static let rated: Set = [
    "convolution", "grouped convolution", "inner product", "backward data", "backward weights",
  ]

  /// - Parameters:
  ///   - graph: of one sample's forward pass.
  ///   - samples: those of the times.
  public init(_ graph: Graph, samples: Int) { self.init(graph, samples: Double(samples)) }

  init(_ graph: Graph, samples: Double) {
    multiplyAdds = Dictionary(graph.layers().map { ($0.name, $0.multiplyAdds) }, uniquingKeysWith: { a, _ in a })
    self.samples = samples
  }

  /// Nil for other operations.
  public func gflops(_ operation: String, _ layer: String, milliseconds: Double) -> Double? {
    guard Self.rated.contains(operation), let count = multiplyAdds[layer], count > 0 else { return nil }
    return 2 * Double(count) * samples / (milliseconds * 1e6)
  }
}
