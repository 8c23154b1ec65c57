import ArgumentParser
import Collectives
import Training

struct SimulateStepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step", abstract: "Predict training steps of a model and how they scale with the ranks.",
    discussion: """
      Every rank has a batch of its own size, whatever their number. Efficiency is the time of a rank alone over the \
      time of the step. A bucket is summed once its gradients are there (overlapped), or after the backward pass. \
      `bench step` measures what --compute asks for.
      """)

  @OptionGroup var stepOptions: SimulatedStepOptions
  @Option(help: "Algorithms, as ring,auto.") var algorithms = "auto"
  @OptionGroup var options: ClusterOptions
  @Option(help: "Write all figures to this file.") var csv: String?
  @Option(help: "Draw efficiency over ranks into this file.") var svg: String?

  func run() throws {
    let cluster = try options.cluster()
    let step = try stepOptions.step()
    let chosen = try ClusterOptions.algorithms(algorithms)
    try checkGroups(options.shardsPerGroup, chosen, flag: "--algorithms")
    let simulation = ScalingSimulation(cluster, ranks: try options.rankCounts(), algorithms: chosen, step: step)
    var rows: [ScalingSimulation.Row] = []
    try simulation.run { rows.append($0) }
    if let csv { try write(Self.text(rows), to: csv) }
    if let svg { try write(plot(rows, simulation).svg, to: svg) }
    var facts = options.facts(cluster)
    stepOptions.add(step, to: &facts)
    show(facts.lines + [""] + table(rows).lines)
  }

  private func table(_ rows: [ScalingSimulation.Row]) -> Table {
    var table = Table([
      ("ranks", .trailing), ("algorithm", .leading), ("sent by a rank", .trailing), ("step", .trailing),
      ("not hidden", .trailing), ("efficiency", .trailing), ("without overlap", .trailing), ("efficiency", .trailing),
    ])
    for row in rows {
      table.add([
        grouped(row.ranks), row.algorithm.rawValue, size(row.overlapped.mostBytesOfARank),
        durationText(row.overlapped.seconds), durationText(row.overlapped.exposed),
        "\(decimal(100 * row.overlapped.efficiency, 1))%", durationText(row.sequential.seconds),
        "\(decimal(100 * row.sequential.efficiency, 1))%",
      ])
    }
    return table
  }

  private func plot(_ rows: [ScalingSimulation.Row], _ simulation: ScalingSimulation) -> LinePlot {
    let series = simulation.algorithms.flatMap { algorithm in
      let own = rows.filter { $0.algorithm == algorithm }
      return [
        LinePlot.Series(
          "\(algorithm.rawValue), overlapped", own.map { (Double($0.ranks), 100 * $0.overlapped.efficiency) }),
        LinePlot.Series(
          "\(algorithm.rawValue), after it", own.map { (Double($0.ranks), 100 * $0.sequential.efficiency) }),
      ]
    }
    return LinePlot(
      "\(stepOptions.model), \(stepOptions.compute) of computing, \(options.network)", x: .init("ranks"),
      y: .init("scaling efficiency in %", isLogarithmic: false), series: series)
  }

  static func text(_ rows: [ScalingSimulation.Row]) -> String {
    let header =
      "ranks,algorithm,most_bytes_of_a_rank,step_ms,exposed_ms,efficiency,step_ms_without_overlap,"
      + "efficiency_without_overlap"
    return
      ([header]
      + rows.map { row in
        "\(row.ranks),\(row.algorithm.rawValue),\(row.overlapped.mostBytesOfARank),"
          + "\(decimal(row.overlapped.seconds * 1e3, 4)),\(decimal(row.overlapped.exposed * 1e3, 4)),"
          + "\(decimal(row.overlapped.efficiency, 4)),\(decimal(row.sequential.seconds * 1e3, 4)),"
          + decimal(row.sequential.efficiency, 4)
      }).joined(separator: "\n")
  }
}
