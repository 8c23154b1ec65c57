/// What a network costs: the model that a simulation carries schedules out on.
///
/// A message of n bytes occupies the way out of its sender, and α later the way into its receiver, for o + n·β each; a sum
/// takes γ for each byte that is added. The ranks of a node share one way out of it and one way into it, at full speed in both
/// directions at once. This is the model of Hockney ("The communication challenge for MPP", Parallel Comput. 20, 1994) with
/// the gap between messages of LogGP (Alexandrov et al., 1995); what lies between nodes is taken to pass everything at once.
public struct NetworkModel: Hashable, Sendable {
  /// A way from one rank to another.
  public struct Link: Hashable, Sendable {
    /// α: seconds from when a message's first byte leaves until it arrives.
    public var latency: Double
    /// β: seconds that a byte occupies the link.
    public var secondsPerByte: Double
    /// o: seconds that a message occupies the link beside its bytes.
    public var secondsPerMessage = 0.0

    public init(latency: Double, secondsPerByte: Double, secondsPerMessage: Double = 0) {
      (self.latency, self.secondsPerByte, self.secondsPerMessage) = (latency, secondsPerByte, secondsPerMessage)
    }

    func seconds(bytes: Int, messages: Int) -> Double {
      Double(messages) * secondsPerMessage + Double(bytes) * secondsPerByte
    }
  }

  /// Between ranks of one node.
  public var inside: Link
  /// Between nodes.
  public var between: Link
  /// γ: seconds for each byte that is added to another.
  public var secondsPerAddedByte: Double
  /// Ranks r·k ..< (r+1)·k are on node r.
  public var ranksPerNode = 1
  /// Cores of a node: where more ranks than these are on it, all that happens inside of it takes as much longer. Nil for
  /// enough.
  public var cores: Int?

  public init(
    inside: Link, between: Link, secondsPerAddedByte: Double, ranksPerNode: Int = 1, cores: Int? = nil
  ) {
    (self.inside, self.between, self.secondsPerAddedByte) = (inside, between, secondsPerAddedByte)
    (self.ranksPerNode, self.cores) = (ranksPerNode, cores)
  }

  public func node(of rank: Int) -> Int { rank / ranksPerNode }

  /// How much longer work on a full node takes than on a core of its own.
  var crowding: Double {
    cores.map { max(1, Double(ranksPerNode) / Double(max($0, 1))) } ?? 1
  }
}
