import ArgumentParser
import Collectives
import Training

struct SimulateStragglersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stragglers", abstract: "Predict what slow ranks cost each method of distributed SGD.",
    discussion: """
      A step is that of `simulate step`. Ranks are those that compute; parameter servers are beside them. Waiting is the \
      share of all ranks' time. Images a second are those that train: not those whose gradients are dropped. Efficiency is over \
      as many ranks alone that lose no time.

        swift-dp-train simulate stragglers --compute 400ms --ranks 8,64,1024 --delay random:100
        swift-dp-train simulate stragglers --compute 400ms --ranks 1024 --stragglers 0.01x3
      """)

  @OptionGroup var stepOptions: SimulatedStepOptions
  @Option(
    help: """
      Milliseconds that ranks lose in each step, as in `train`: RANK:MS, MS for all, random:MS (0 to twice MS), \
      exponential:MS (mean MS), or several that add up, as 20,1:60 (default: none).
      """) var delay: String?
  @Option(help: "Samples of a rank's batch.") var rankBatch = 32
  @Option(help: "Algorithm of sums.") var allReduce = AllReduceAlgorithm.auto.rawValue
  @Option(help: "Steps between meetings of local, easgd, asynchronous-easgd and gossip.") var localSteps = 16
  @Option(help: "Gradients of a step that backup-workers does not wait for.") var backup = 1
  @Option(help: "Parameter servers (`train` has one for backup-workers).") var servers = 1
  @Option(help: "Steps that are drawn.") var steps = 100
  @OptionGroup var options: ClusterOptions
  @Option(help: "Write all figures to this file.") var csv: String?
  @Option(help: "Draw efficiency over ranks into this file.") var svg: String?

  func run() throws {
    let cluster = try options.cluster()
    let simulation = try simulation(cluster)
    var rows: [StragglerSimulation.Row] = []
    try simulation.run { rows.append($0) }
    if let csv { try write(text(rows), to: csv) }
    if let svg { try write(plot(rows).svg, to: svg) }
    var facts = options.facts(cluster)
    stepOptions.add(simulation.step, to: &facts)
    if let delay = simulation.delay { facts.add("delay", "\(delay) ms in each step · seed \(options.seed)") }
    show(facts.lines + [""] + table(rows).lines)
  }

  private func simulation(_ cluster: SimulatedCluster) throws -> StragglerSimulation {
    for (value, flag) in [(rankBatch, "--rank-batch"), (localSteps, "--local-steps"), (servers, "--servers")] {
      try checkCount(value, flag)
    }
    try checkCount(steps, "--steps", to: 10_000)
    try checkCount(backup, "--backup", from: 0)
    let ranks = try options.rankCounts()
    let delay = try delay.map { try injectedDelay($0) }
    try delay?.check(ranks: ranks.min() ?? 1)
    var simulation = StragglerSimulation(cluster, ranks: ranks, step: try stepOptions.step(), delay: delay)
    let algorithms = try ClusterOptions.algorithms(allReduce, flag: "--all-reduce")
    try check(algorithms.count == 1, "--all-reduce \(allReduce)", "give one algorithm")
    try checkGroups(options.shardsPerGroup, algorithms, flag: "--all-reduce")
    simulation.allReduce = algorithms[0]
    (simulation.localSteps, simulation.backup) = (localSteps, backup)
    (simulation.servers, simulation.steps) = (servers, steps)
    return simulation
  }

  private func samplesPerSecond(_ row: StragglerSimulation.Row) -> Double {
    Double(rankBatch) * row.pace.usefulTurnsPerSecond
  }

  private func table(_ rows: [StragglerSimulation.Row]) -> Table {
    var table = Table([
      ("ranks", .trailing), ("method", .leading), ("exchange", .trailing), ("step", .trailing), ("waiting", .trailing),
      ("dropped", .trailing), ("img/s", .trailing), ("efficiency", .trailing), ("over synchronous", .trailing),
    ])
    for row in rows {
      table.add([
        grouped(row.ranks), row.method.name, durationText(row.cost.exchange), durationText(row.stepSeconds),
        "\(decimal(100 * row.pace.shareOfWaiting, 1))%",
        row.pace.dropped > 0 ? "\(decimal(100 * row.pace.shareDropped, 1))%" : "",
        grouped(Int(min(samplesPerSecond(row), 1e18))), "\(decimal(100 * row.efficiency, 1))%",
        "\(decimal(row.gain, 2))×",
      ])
    }
    return table
  }

  private func plot(_ rows: [StragglerSimulation.Row]) -> LinePlot {
    let names = rows.map(\.method.name)
    let series = names.indices.filter { names.firstIndex(of: names[$0]) == $0 }.map { index in
      LinePlot.Series(
        names[index],
        rows.filter { $0.method.name == names[index] }.map { (Double($0.ranks), 100 * $0.efficiency) })
    }
    return LinePlot(
      "\(stepOptions.model), \(stepOptions.compute) of computing, \(options.network)", x: .init("ranks"),
      y: .init("efficiency in %", isLogarithmic: false), series: series)
  }

  private func text(_ rows: [StragglerSimulation.Row]) -> String {
    let header =
      "ranks,method,local_steps,backup,exchange_ms,step_ms,waiting,dropped,samples_per_second,efficiency,"
      + "over_synchronous"
    return
      ([header]
      + rows.map { row in
        "\(row.ranks),\(row.method.method.rawValue),\(row.method.localSteps),\(row.method.backup),"
          + "\(decimal(row.cost.exchange * 1e3, 4)),\(decimal(row.stepSeconds * 1e3, 4)),"
          + "\(decimal(row.pace.shareOfWaiting, 4)),\(decimal(row.pace.shareDropped, 4)),"
          + "\(decimal(samplesPerSecond(row), 2)),\(decimal(row.efficiency, 4)),\(decimal(row.gain, 4))"
      }).joined(separator: "\n")
  }
}
