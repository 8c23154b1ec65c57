import ArgumentParser
import Collectives
import Models
import Training

struct SimulateStepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step", abstract: "Predict training steps of a model and how they scale with the ranks.",
    discussion: """
      Every rank has a batch of its own size, whatever their number. Efficiency is the time of a rank alone over the \
      time of the step. A bucket is summed once its gradients are there (overlapped), or after the backward pass. \
      `bench step` measures what --compute asks for.
      """)

  @Option(help: "A built-in model, as `models list` names it.") var model = "resnet50"
  @Option(help: "Time of forward and backward pass of a rank's batch, as 120ms.") var compute: String
  @Option(help: "Time of the update (default: 20 bytes a parameter at 10 GB/s).") var update: String?
  @Option(help: "Images as CxHxW (default: those that the model is known by).") var input: String?
  @Option(help: "Classes (default: as many as the model is known by).") var classes: Int?
  @Option(help: "Gradients that are summed together.") var bucketSize = "4MiB"
  @Option(help: "Algorithms, as ring,auto.") var algorithms = "auto"
  @OptionGroup var options: ClusterOptions
  @Option(help: "Write all figures to this file.") var csv: String?
  @Option(help: "Draw efficiency over ranks into this file.") var svg: String?

  func run() throws {
    let cluster = try options.cluster()
    let step = try makeStep()
    let simulation = ScalingSimulation(
      cluster, ranks: try options.rankCounts(), algorithms: try ClusterOptions.algorithms(algorithms), step: step)
    var rows: [ScalingSimulation.Row] = []
    try simulation.run { rows.append($0) }
    if let csv { try write(Self.text(rows), to: csv) }
    if let svg { try write(plot(rows, simulation).svg, to: svg) }
    var facts = options.facts(cluster)
    let bytes = 4 * step.buckets.reduce(0) { $0 + $1.elements }
    facts.add("model", "\(model) · \(size(bytes)) of gradients in \(count(step.buckets.count, "bucket"))")
    facts.add("rank alone", "\(durationText(step.compute)) computing, \(durationText(step.update)) updating")
    show(facts.lines + [""] + table(rows).lines)
  }

  private func makeStep() throws -> StepSimulation {
    let name: ModelName = try known(model, flag: "--model")
    let classes = classes ?? name.usualClasses
    try check(classes > 0, "--classes \(classes)", "give at least 1")
    guard let time = seconds(parsing: compute), time > 0 else {
      throw invalid("--compute \(compute)", "give a time above 0 with its unit (us, ms, s), as 120ms")
    }
    guard let bucket = ByteCount(bucketSize), bucket.value >= 4 else {
      throw invalid("--bucket-size \(bucketSize)", "give a size as 4MiB, 512KiB or 65536")
    }
    let shape = try imageShape(input, of: name, flag: "--input")
    let network = name.network(input: .init(shape.channels, shape.height, shape.width), classes: classes)
    var step = StepSimulation(network, compute: time, update: 0, bucketBytes: bucket.value, overlaps: true)
    step.update = 20 * Double(step.buckets.reduce(0) { $0 + $1.elements }) / 10e9
    if let update {
      guard let time = seconds(parsing: update) else {
        throw invalid("--update \(update)", "give a time with its unit (us, ms, s), as 5ms")
      }
      step.update = time
    }
    return step
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
      "\(model), \(compute) of computing, \(options.network)", x: .init("ranks"),
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
