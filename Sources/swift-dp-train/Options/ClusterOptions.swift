import ArgumentParser
import Collectives
import Training

/// The modelled cluster of `simulate`.
struct ClusterOptions: ParsableArguments {
  @Option(help: "Numbers of ranks, as 2048 or 64,512,4096; up to 16384.") var ranks = "64"
  @Option(help: "Ranks of a node, which share its link (default: 1; of loopback: all).") var ranksPerNode: Int?
  @Option(
    help: """
      10gbit (latency 30 µs), 25gbit (10 µs), 100gbit (2 µs), or loopback (all ranks on a machine as that of \
      docs/simulator.md).
      """) var network = NamedNetwork.ethernet25.rawValue
  @Option(help: "Latency of a message between nodes, as 20us (default: the network's).") var latency: String?
  @Option(help: "Bandwidth of a node's link in each direction, as 25gbit (default: the network's).")
  var bandwidth: String?
  @Option(help: "Time of a link for each message beside its bytes, as 1us (default: none).") var messageTime: String?
  @Option(help: "Latency of a message within a node, as 1us (default: that of loopback).") var insideLatency: String?
  @Option(help: "Bandwidth from rank to rank within a node, as 40gbit (default: that of loopback).")
  var insideBandwidth: String?
  @Option(help: "Time to add a byte to another, as 0.1ns (default: that of loopback).") var addition: String?
  @Option(help: "Cores of a node; with more ranks, work within it takes longer (default: enough).")
  var coresPerNode: Int?
  @Option(
    help: """
      Slow ranks: 0.01x3 makes each slow with probability 0.01, to take 3 times as long; log-normal:0.1 gives every rank \
      a factor whose logarithm has that deviation (default: none).
      """) var stragglers: String?
  @Option(help: "What decides which ranks are slow.") var seed: UInt64 = 42
  @Option(help: "Ranks of a group of hierarchical or a row of torus (default: the greatest divisor up to √p).")
  var shardsPerGroup: Int?

  func rankCounts() throws -> [Int] {
    try ranks.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let count = Int(text), (1...SimulatedCluster.mostRanks).contains(count) else {
        throw invalid("--ranks \(ranks)", "give numbers from 1 to \(SimulatedCluster.mostRanks), as 64,512")
      }
      return count
    }
  }

  func cluster() throws -> SimulatedCluster {
    let name: NamedNetwork = try known(network, flag: "--network")
    let most = try rankCounts().max() ?? 1
    if let ranksPerNode { try check(ranksPerNode > 0, "--ranks-per-node \(ranksPerNode)", "give at least 1") }
    if let coresPerNode { try check(coresPerNode > 0, "--cores-per-node \(coresPerNode)", "give at least 1") }
    if let shardsPerGroup { try check(shardsPerGroup > 0, "--shards-per-group \(shardsPerGroup)", "give at least 1") }
    var model = name.network(ranksPerNode: ranksPerNode ?? (name == .loopback ? most : 1))
    model.cores = coresPerNode
    if let time = try time(latency, "--latency", "20us") { model.between.latency = time }
    if let time = try time(insideLatency, "--inside-latency", "1us") { model.inside.latency = time }
    if let time = try time(addition, "--addition", "0.1ns") { model.secondsPerAddedByte = time }
    if let time = try time(messageTime, "--message-time", "1us") {
      (model.between.secondsPerMessage, model.inside.secondsPerMessage) = (time, time)
    }
    if let rate = try rate(bandwidth, "--bandwidth") { model.between.secondsPerByte = 1 / rate }
    if let rate = try rate(insideBandwidth, "--inside-bandwidth") { model.inside.secondsPerByte = 1 / rate }
    var cluster = SimulatedCluster(model)
    cluster.stragglers = try slowRanks()
    cluster.seed = seed
    cluster.shardsPerGroup = shardsPerGroup
    return cluster
  }

  /// - Parameter example: a value to give.
  private func time(_ text: String?, _ flag: String, _ example: String) throws -> Double? {
    guard let text else { return nil }
    guard let value = seconds(parsing: text) else {
      throw invalid("\(flag) \(text)", "give a time with its unit (ns, us, ms, s), as \(example)")
    }
    return value
  }

  private func rate(_ text: String?, _ flag: String) throws -> Double? {
    guard let text else { return nil }
    guard let value = bytesPerSecond(parsing: text), value > 0 else {
      throw invalid("\(flag) \(text)", "give bits a second above 0 (kbit, mbit, gbit), as 25gbit")
    }
    return value
  }

  private func slowRanks() throws -> Stragglers? {
    guard let stragglers else { return nil }
    if stragglers.hasPrefix("log-normal:"), let sigma = Double(stragglers.dropFirst(11)), (0...5).contains(sigma) {
      return .logNormal(sigma: sigma)
    }
    let parts = stragglers.split(separator: "x", omittingEmptySubsequences: false).map { Double($0) }
    if parts.count == 2, let share = parts[0], let factor = parts[1], (0...1).contains(share),
      (1...1e6).contains(factor)
    {
      return .fraction(share, factor: factor)
    }
    throw invalid(
      "--stragglers \(stragglers)", "give a probability and a factor of at least 1 as 0.01x3, or log-normal:0.1")
  }

  /// The algorithms of `--algorithms`.
  static func algorithms(_ text: String, flag: String = "--algorithms") throws -> [AllReduceAlgorithm] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { name in
      let algorithm: AllReduceAlgorithm = try known(String(name), flag: flag)
      try check(
        algorithm.isReproducible, "\(flag) \(name)", "the MPI library chooses how; give those of this program")
      return algorithm
    }
  }

  /// What is modelled, for the head of a table.
  func facts(_ cluster: SimulatedCluster) -> Facts {
    let model = cluster.network
    func text(_ link: NetworkModel.Link) -> String {
      "latency \(durationText(link.latency)), \(decimal(1e-9 / link.secondsPerByte, 3)) GB/s"
    }
    var facts = Facts()
    facts.add("between nodes", "\(text(model.between)) · \(count(model.ranksPerNode, "rank")) a node")
    facts.add("within a node", text(model.inside) + (model.cores.map { " · \(count($0, "core"))" } ?? ""))
    facts.add("additions", "\(decimal(1e9 * model.secondsPerAddedByte, 3)) ns a byte")
    if let stragglers { facts.add("stragglers", "\(stragglers) · seed \(seed)") }
    return facts
  }
}
