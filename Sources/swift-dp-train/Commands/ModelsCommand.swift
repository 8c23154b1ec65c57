import ArgumentParser
import Engine
import Models
import Networks
import Training

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "The built-in models: their layers, what they cost, how they are computed.",
    subcommands: [List.self, Show.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "A line for each model, with the images and classes that it is known by.")

    func run() {
      var table = Table([
        ("model", .leading), ("input", .leading), ("classes", .trailing), ("parameters", .trailing),
        ("multiply-adds", .trailing), ("", .leading),
      ])
      for model in ModelName.allCases {
        let graph = model.network(input: model.usualInput, classes: model.usualClasses).traced(batchSize: 1)
        table.add([
          model.rawValue, "\(model.usualInput)", grouped(model.usualClasses), grouped(graph.parameterCount),
          grouped(graph.layers().reduce(0) { $0 + $1.multiplyAdds }), model.summary,
        ])
      }
      show(table.lines)
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "A model's layers, with the shapes, parameters and multiply-adds of one sample's forward pass.")

    @Argument(help: "A model, as `models list` names it.") var name: String
    @Option(help: "Images as CxHxW (default: those that the model is known by).") var input: String?
    @Option(help: "Classes (default: as many as the model is known by).") var classes: Int?
    @Option(help: "Samples of a shard's batch, for the memory and the plan.") var batchSize = 64
    @Option(help: "Threads of a shard, for the plan.") var threadsPerShard = 1
    @Option(help: "Activations that are computed again to save memory: none, selective or full.")
    var recompute = Recomputation.none.rawValue
    @Option(help: "float32 or bf16, for the memory and the plan.") var precision = "float32"
    @Flag(help: "List the parameters: names, shapes, and the order of their elements in memory.") var parameters = false
    @Flag(
      help: """
        Print the plan: the kernels and layouts of a step in the order of execution, each with its time over zeros, and \
        the share of the processor's peak that convolutions and inner products reach.
        """) var plan = false
    @Flag(
      inversion: .prefixedNo, exclusivity: .chooseLast,
      help: "Run some steps for the plan's times, which takes their memory.") var times = true

    func run() throws {
      let model: ModelName = try known(name, flag: "models show")
      let classes = classes ?? model.usualClasses
      try checkClasses(classes)
      try checkCount(batchSize, "--batch-size", to: 1_000_000)
      try check((1...1024).contains(threadsPerShard), "--threads-per-shard \(threadsPerShard)", "give 1 to 1024")
      let shape = try imageShape(input, of: model, flag: "--input")
      let network = model.network(input: .init(shape.channels, shape.height, shape.width), classes: classes)
      let graph = network.traced(batchSize: 1)
      try checkSize(name, parameters: graph.parameterCount)
      var configuration = Executor.Configuration(network: network, trainingBatchSizes: [batchSize])
      configuration.threadsPerShard = threadsPerShard
      configuration.recomputation = try known(recompute, flag: "--recompute")
      configuration.precision = try known(precision, flag: "--precision")
      let kernels = try ExecutionPlan(configuration)

      show(layers(graph))
      print("")
      show(totals(graph, network, kernels))
      if parameters {
        print("")
        show(parameterLines(kernels.parameterLayout))
      }
      if plan && !times { print("\n\(kernels.text)") }
      if plan && times {
        print("\ntraining \(batchSize)")
        show(try timedPlan(configuration, graph))
      }
    }

    private func timedPlan(_ configuration: Executor.Configuration, _ graph: Graph) throws -> [String] {
      let measurement = try StepMeasurement(configuration)
      let peak = try max(measurePeakRate(threads: threadsPerShard), measurePeakRate(threads: threadsPerShard))
      let rates = OperationRates(graph, samples: batchSize)
      var table = Table([
        ("ms", .trailing), ("GFLOP/s", .trailing), ("of peak", .trailing), ("instruction", .leading),
      ])
      let times = try measurement.leastTimes()
      for (row, text) in zip(times, measurement.planText) {
        let isReorder = text.hasPrefix("reorder ")
        let rate = isReorder ? nil : rates.gflops(row.operation, row.layer, milliseconds: row.milliseconds)
        table.add([
          decimal(row.milliseconds, 3), rate.map { decimal($0, 0) } ?? "",
          rate.map { percent($0 * 1e9 / peak) } ?? "", String(text),
        ])
      }
      table.add([decimal(times.reduce(0) { $0 + $1.milliseconds }, 3), "", "", "all"])
      return table.lines
    }

    private func layers(_ graph: Graph) -> [String] {
      var table = Table([
        ("layer", .leading), ("kind", .leading), ("output", .leading), ("parameters", .trailing),
        ("multiply-adds", .trailing),
      ])
      for layer in graph.layers() {
        table.add([
          layer.name, layer.kind, shapeText(layer.outputShape),
          layer.parameterCount == 0 ? "" : grouped(layer.parameterCount),
          layer.multiplyAdds == 0 ? "" : grouped(layer.multiplyAdds),
        ])
      }
      let multiplyAdds = graph.layers().reduce(0) { $0 + $1.multiplyAdds }
      table.add(["total", "", "", grouped(graph.parameterCount), grouped(multiplyAdds)])
      return table.lines
    }

    private func totals(_ graph: Graph, _ network: Network, _ kernels: ExecutionPlan) -> [String] {
      let vector = kernels.parameterLayout.count * 4
      let tracked = graph.parameters.filter { !$0.isTrainable }.reduce(0) { $0 + $1.count }
      var facts = Facts()
      facts.add("input", "\(network.input)")
      facts.add(
        "parameters",
        "\(grouped(graph.parameterCount)) in \(grouped(graph.parameters.filter(\.isTrainable).count)) tensors"
          + (tracked > 0 ? ", and \(grouped(tracked)) running statistics" : ""))
      facts.add("vector", "\(size(vector)) for the parameters, as much for each gradient and optimizer slot")
      facts.add("arena", "\(size(kernels.arenaBytes)) for a shard's batch of \(grouped(batchSize))")
      return facts.lines
    }

    private func parameterLines(_ layout: ParameterLayout) -> [String] {
      var table = Table([
        ("parameter", .leading), ("shape", .leading), ("elements", .trailing), ("order", .leading),
      ])
      for entry in layout.entries {
        let parameter = entry.parameter
        table.add([parameter.name, shapeText(parameter.shape), grouped(parameter.count), entry.order])
      }
      return table.lines
    }
  }
}
