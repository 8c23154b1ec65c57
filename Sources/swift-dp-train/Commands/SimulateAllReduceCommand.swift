import ArgumentParser
import Collectives
import Training

struct SimulateAllReduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "all-reduce", abstract: "Predict the sum of a buffer over all ranks, by each algorithm and size.",
    discussion: """
      Times are from when all ranks begin to when the last is done, with a shard a rank. A second table shows the largest \
      buffer: what a rank sends at most, and the link that is busy for the longest.
      """)

  @OptionGroup var options: ClusterOptions
  @Option(help: "Algorithms, as ring,halving-doubling.")
  var algorithms = AllReduceAlgorithm.allCases.filter { $0.isReproducible && $0 != .auto }.map(\.rawValue)
    .joined(separator: ",")
  @Option(help: "Sizes of the buffer, as 4KiB,25MiB (default: 4 bytes to 256 MiB by factors of four).")
  var bytes: String?
  @Option(help: "Write all figures to this file.") var csv: String?
  @Option(help: "Draw time over bytes (or over ranks, for one size) into this file.") var svg: String?

  func run() throws {
    let cluster = try options.cluster()
    let chosen = try ClusterOptions.algorithms(algorithms)
    try checkGroups(options.shardsPerGroup, chosen, flag: "--algorithms")
    let simulation = AllReduceSimulation(
      cluster, ranks: try options.rankCounts(), algorithms: chosen, sizes: try sizes())
    var rows: [AllReduceSimulation.Row] = []
    try simulation.run { rows.append($0) }
    if let csv { try write(Self.text(rows), to: csv) }
    if let svg { try write(plot(rows, simulation).svg, to: svg) }
    show(options.facts(cluster).lines + [""] + times(rows, simulation).lines + [""] + loads(rows, simulation).lines)
  }

  private func sizes() throws -> [Int] {
    guard let bytes else { return AllReduceBenchmark.sizes(upTo: 256 << 20) }
    return try bytes.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let size = ByteCount(String(text)), size.value >= 4, size.value % 4 == 0, size.value <= 1 << 40 else {
        throw invalid("--bytes \(bytes)", "give multiples of 4 bytes, as 4KiB,25MiB")
      }
      return size.value
    }
  }

  private func times(_ rows: [AllReduceSimulation.Row], _ simulation: AllReduceSimulation) -> Table {
    var table = Table(
      [("ranks", .trailing), ("bytes", .trailing)] + simulation.algorithms.map { ($0.rawValue, .trailing) }
        + [("best", .leading)])
    for ranks in simulation.ranks {
      for bytes in simulation.sizes {
        let own = rows.filter { $0.ranks == ranks && $0.bytes == bytes }
        // What a model cannot tell apart goes to the first in the list: a ring keeps to one neighbour each way.
        let least = own.map(\.seconds).min() ?? 0
        let best = own.first { $0.seconds <= 1.02 * least }?.algorithm.rawValue ?? ""
        table.add([grouped(ranks), grouped(bytes)] + own.map { durationText($0.seconds) } + [best])
      }
    }
    return table
  }

  private func loads(_ rows: [AllReduceSimulation.Row], _ simulation: AllReduceSimulation) -> Table {
    var table = Table([
      ("ranks", .trailing), ("bytes", .trailing), ("algorithm", .leading), ("rounds", .trailing),
      ("messages", .trailing),
      ("sent by a rank", .trailing), ("busbw GB/s", .trailing), ("busiest link", .leading), ("carries", .trailing),
      ("busy", .trailing),
    ])
    let largest = simulation.sizes.max()
    for row in rows where row.bytes == largest {
      table.add([
        grouped(row.ranks), grouped(row.bytes), row.algorithm.rawValue, grouped(row.rounds), grouped(row.messages),
        size(row.mostBytesOfARank), decimal(row.busBandwidth, 3), row.busiestLink?.text ?? "",
        size(row.busiestLink?.bytes ?? 0), percent(row.busyShare),
      ])
    }
    return table
  }

  private func plot(_ rows: [AllReduceSimulation.Row], _ simulation: AllReduceSimulation) -> LinePlot {
    let isOverRanks = simulation.sizes.count == 1
    let lines = isOverRanks ? [nil] : simulation.ranks.map(Optional.some)
    let series = lines.flatMap { ranks in
      simulation.algorithms.map { algorithm in
        let own = rows.filter { $0.algorithm == algorithm && (ranks == nil || $0.ranks == ranks) }
        let suffix = simulation.ranks.count > 1 && !isOverRanks ? " (\(ranks ?? 0))" : ""
        return LinePlot.Series(
          algorithm.rawValue + suffix, own.map { (Double(isOverRanks ? $0.ranks : $0.bytes), $0.seconds) })
      }
    }
    let title =
      isOverRanks
      ? "Sum of \(ByteCount(simulation.sizes[0]).text), \(options.network)"
      : "Sum over \(simulation.ranks.map { String($0) }.joined(separator: ", ")) ranks, \(options.network)"
    return LinePlot(
      title, x: .init(isOverRanks ? "ranks" : "bytes"), y: .init("time", label: durationText), series: series)
  }

  static func text(_ rows: [AllReduceSimulation.Row]) -> String {
    let header =
      "ranks,bytes,algorithm,microseconds,rounds,messages,bytes_sent,most_bytes_of_a_rank,busiest_link,"
      + "busiest_link_bytes,busiest_link_share,busbw_gbs"
    return
      ([header]
      + rows.map { row in
        "\(row.ranks),\(row.bytes),\(row.algorithm.rawValue),\(decimal(row.seconds * 1e6, 4)),\(row.rounds),"
          + "\(row.messages),\(row.bytesSent),\(row.mostBytesOfARank),\(row.busiestLink?.text ?? ""),"
          + "\(row.busiestLink?.bytes ?? 0),\(decimal(row.busyShare, 4)),\(decimal(row.busBandwidth, 4))"
      }).joined(separator: "\n")
  }
}
