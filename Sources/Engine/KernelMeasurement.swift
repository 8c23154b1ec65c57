import Networks

extension KernelChoice {
  /// The faster kernel of each operation that has two, timed in steps of the largest training batch over zeros, on one
  /// worker. Takes some steps' time twice over.
  public static func measured(_ configuration: Executor.Configuration) throws -> KernelChoice {
    let own = try times(configuration, .own)
    let library = try times(configuration, .library)
    var choice = KernelChoice(.rules)
    for (operation, time) in own {
      guard let other = library[operation] else { continue }
      choice.exceptions[operation] = time <= other ? .own : .library
    }
    return choice
  }

  /// Milliseconds of each operation that has a choice, the least of several rounds; layers of one shape together.
  private static func times(_ configuration: Executor.Configuration, _ policy: Policy) throws -> [String: Double] {
    var configuration = configuration
    configuration.kernelChoice = KernelChoice(policy)
    configuration.workers = 1
    configuration.evaluationBatchSizes = []
    let batch = configuration.trainingBatchSizes.max() ?? 1
    configuration.trainingBatchSizes = [batch]
    let executor = try Executor(configuration)
    let parameters = try FloatBuffer(count: executor.parameterLayout.count)
    let gradients = try FloatBuffer(count: executor.parameterLayout.count)
    let images = try FloatBuffer(count: batch * configuration.network.input.count)
    let labels = [Int32](repeating: 0, count: batch)
    let ids = (0..<batch).map(UInt32.init)
    try executor.parameterLayout.initialize(parameters.pointer, seed: 1)

    var least: [String: Double] = [:]
    for round in 0..<4 {
      executor.startProfile()
      _ = try labels.withUnsafeBufferPointer { labels in
        try ids.withUnsafeBufferPointer { ids in
          guard let labels = labels.baseAddress, let ids = ids.baseAddress else { return }
          _ = try executor.computeGradients(
            parameters: parameters.pointer,
            [
              Executor.ShardWork(
                images: images.pointer, labels: labels, sampleIDs: ids, batches: [batch], gradients: gradients.pointer,
                globalBatch: batch, epoch: 0, step: round)
            ])
        }
      }
      // The first round meets cold memory.
      if round == 0 { continue }
      var sums: [String: Double] = [:]
      let profile = executor.profile()
      for (operation, places) in executor.choices {
        sums[operation] = profile.filter { places.contains(Plan.Place(operation: $0.operation, layer: $0.layer)) }
          .reduce(0) { $0 + $1.milliseconds }
      }
      least.merge(sums, uniquingKeysWith: min)
    }
    return least
  }
}
