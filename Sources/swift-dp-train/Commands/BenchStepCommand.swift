import ArgumentParser
import Datasets
import Engine
import MPI
import Models
import Training

struct BenchStepCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "step", abstract: "Time training steps over one batch in memory.",
    discussion: """
      A step is forward, loss, backward, all-reduce over all ranks, and the update. Three steps of warm-up are not \
      counted; the times of operations come from some more steps after the counted ones. The share of the peak is that \
      of what the same threads reach with multiply-adds in registers.
      """)

  @Option(help: "A built-in model, as `models list` names it.") var model = "lenet5"
  @Option(help: "Samples of a global batch, over all ranks.") var batchSize = 256
  @Option(help: "Steps that count.") var steps = 20
  @Option(help: "Shards (default: the ranks).") var shards: Int?
  @Option(help: "Threads of each shard (default: cores ÷ ranks, or 1 if --shards is given).") var threadsPerShard: Int?
  @Option(help: "At most so many samples of a shard at once; the rest is accumulated.") var microBatchSize: Int?
  @Option(help: "Images as CxHxW (default: those that the model is known by).") var input: String?
  @Option(help: "Classes (default: as many as the model is known by).") var classes: Int?
  @OptionGroup var kernels: KernelOptions
  @Option(help: "Another --plan, or --precision, to time as well, shown beside the first.") var compare: String?
  @OptionGroup var reduction: ReductionOptions
  @OptionGroup var sharing: SharingOptions
  @Option(name: .customLong("json"), help: "Write all figures to this file.") var jsonPath: String?

  func run(_ world: Communicator) throws -> Int32 {
    let benchmark = try world.agree { try makeBenchmark() }
    let report = try benchmark.run(world)
    var other: StepBenchmark.Report?
    if let compare {
      var benchmark = benchmark
      if let precision = Precision(rawValue: compare) {
        benchmark.recipe.precision = precision
      } else {
        benchmark.recipe.planSource = PlanSource(compare)
      }
      other = try benchmark.run(world)
    }
    try world.agree {
      guard world.rank == 0 else { return }
      if let jsonPath { try write(try json(StepBenchmark.Figures(report, compared: other)), to: jsonPath) }
      show(lines(report))
      if let other, let compare {
        let own = Precision(rawValue: compare) == nil ? kernels.plan ?? "rules" : benchmark.recipe.precision.rawValue
        show([""] + comparison(report, other, names: (own, compare)))
      }
    }
    return ExitCode.done.rawValue
  }

  private func makeBenchmark() throws -> StepBenchmark {
    var batches = try BatchOptions.parse([])
    (batches.batchSize, batches.shards, batches.threadsPerShard) = (batchSize, shards, threadsPerShard)
    batches.microBatchSize = microBatchSize
    var recipe = Recipe()
    recipe.model = try known(model, flag: "--model")
    try batches.apply(to: &recipe)
    try kernels.apply(to: &recipe)
    try reduction.apply(to: &recipe)
    try checkGroups(reduction.shardsPerGroup, [recipe.allReduce], flag: "--all-reduce")
    try checkCount(steps, "--steps")
    let classes = classes ?? recipe.model.usualClasses
    try checkClasses(classes)
    var benchmark = StepBenchmark(recipe, input: try imageShape(input, of: recipe.model, flag: "--input"))
    (benchmark.steps, benchmark.classes) = (steps, classes)
    benchmark.sharing = try sharing.sharing()
    return benchmark
  }

  private func lines(_ report: StepBenchmark.Report) -> [String] {
    var facts = Facts()
    facts.add(
      "model",
      "\(report.model) · \(report.input), \(grouped(report.classes)) classes · \(grouped(report.batchSize)) samples a step"
    )
    facts.add(
      "ranks",
      "\(grouped(report.ranks)) · shards \(grouped(report.shards)) · threads per shard \(report.threadsPerShard)")
    facts.add("start", "\(decimal(report.startSeconds, 2)) s: plan, code, memory and start values")
    facts.add(
      "step",
      "\(decimal(report.stepMillisecondsBest, 3)) ms best, \(decimal(report.stepMillisecondsMedian, 3)) ms median of \(grouped(report.steps))"
    )
    facts.add(
      "samples",
      "\(grouped(Int(report.samplesPerSecondBest))) a second best, \(grouped(Int(report.samplesPerSecondMedian))) median"
    )
    facts.add("arena", "\(size(report.arenaBytes)) of each worker")
    facts.add(
      "rate",
      "\(decimal(report.gflops, 1)) GFLOP/s, \(percent(report.shareOfPeak)) of the peak of \(decimal(report.peakGflops, 1))"
    )

    let total = report.milliseconds.values.reduce(0, +)
    var operations = Table([("operation", .leading), ("ms a step", .trailing), ("share", .trailing)])
    for (name, time) in report.milliseconds.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      operations.add([name, decimal(time, 3), percent(time / max(total, 1e-9))])
    }
    var layers = Table([
      ("layer", .leading), ("operation", .leading), ("ms a step", .trailing), ("share", .trailing),
      ("GFLOP/s", .trailing), ("of peak", .trailing),
    ])
    let peak = report.peakGflops / Double(max(report.ranks, 1))
    for layer in report.layers.prefix(12) {
      layers.add([
        layer.layer, layer.operation, decimal(layer.milliseconds, 3), percent(layer.milliseconds / max(total, 1e-9)),
        layer.gflops.map { decimal($0, 0) } ?? "", layer.gflops.map { percent($0 / peak) } ?? "",
      ])
    }
    return facts.lines + [""] + operations.lines + [""] + layers.lines
  }

  /// Two plans side by side, operation by operation and layer by layer where they differ most.
  private func comparison(
    _ a: StepBenchmark.Report, _ b: StepBenchmark.Report, names: (String, String)
  ) -> [String] {
    func row(_ name: [String], _ x: Double?, _ y: Double?) -> [String] {
      let ratio = x.flatMap { x in y.map { decimal($0 / max(x, 1e-9), 2) } }
      return name + [x.map { decimal($0, 3) } ?? "", y.map { decimal($0, 3) } ?? "", ratio ?? ""]
    }
    let heads: [(String, Table.Alignment)] = [
      (names.0 + " ms", .trailing), (names.1 + " ms", .trailing), ("ratio", .trailing),
    ]
    var operations = Table([("operation", .leading)] + heads)
    operations.add(row(["step"], a.stepMillisecondsBest, b.stepMillisecondsBest))
    let all = Set(a.milliseconds.keys).union(b.milliseconds.keys)
    for name in all.sorted(by: { (a.milliseconds[$0] ?? 0, $1) > (a.milliseconds[$1] ?? 0, $0) }) {
      operations.add(row([name], a.milliseconds[name], b.milliseconds[name]))
    }
    var layers = Table([("layer", .leading), ("operation", .leading)] + heads)
    let others = Dictionary(
      b.layers.map { ([$0.layer, $0.operation], $0.milliseconds) }, uniquingKeysWith: { a, _ in a })
    for layer in a.layers.prefix(12) {
      layers.add(
        row([layer.layer, layer.operation], layer.milliseconds, others[[layer.layer, layer.operation]]))
    }
    return operations.lines + [""] + layers.lines
  }
}
