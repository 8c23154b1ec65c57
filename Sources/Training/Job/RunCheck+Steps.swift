import Collectives
import Datasets
import Engine
import Foundation
import MPI

extension RunCheck {
  /// The run directory, which must be writable, what is there, and the checkpoint that the run goes on from.
  static func look(_ job: TrainingJob) throws -> (path: String, existing: Existing, checkpoint: Checkpoint?) {
    let path = job.runDirectory ?? "runs"
    try RunDirectory.checkWritable(path)
    if case .checkpoint(let chosen) = job.resume {
      return (path, .run(checkpoint: chosen), try Checkpoint(path: chosen))
    }
    let files = FileManager.default
    guard job.runDirectory != nil, files.fileExists(atPath: path + "/config.yaml") else { return (path, .nothing, nil) }
    guard job.resume != .none else { throw RunSession.refusal(path) }
    if files.fileExists(atPath: path + "/summary.json") { return (path, .finishedRun, nil) }
    let newest = try CheckpointStore(directory: path + "/checkpoints").newest().checkpoint
    return (path, .run(checkpoint: newest?.path), newest)
  }

  /// Seconds that a barrier and a sum of 4 MiB take the slowest rank, the median of several. Collective.
  static func reach(_ world: Communicator) throws -> (barrier: Double, allReduce: Double) {
    func seconds(_ times: Int, _ body: () throws -> Void) throws -> Double {
      var measured: [Double] = []
      for _ in 0..<times {
        try world.barrier()
        let begin = MPILibrary.seconds
        try body()
        measured.append(MPILibrary.seconds - begin)
      }
      try world.allReduce(&measured, .maximum)
      return Statistics(measured).median
    }
    let expected = Float(world.size * (world.size + 1) / 2)
    var sum = [Float](repeating: 0, count: 1 << 20)
    let barrier = try seconds(20) { try world.barrier() }
    let allReduce = try seconds(5) {
      sum = [Float](repeating: Float(world.rank + 1), count: sum.count)
      try world.allReduce(&sum, .sum)
      guard sum.allSatisfy({ $0 == expected }) else {
        throw TrainingError(
          .rankFailed,
          "a sum over all ranks is wrong on rank \(world.rank) (\(MPILibrary.processorName)): the network or the memory "
            + "of a host is suspect; try its ranks without it.")
      }
    }
    return (barrier, allReduce)
  }

  /// Shares out the first epoch as the ranks' readers do, and counts over all ranks how often each sample is met.
  /// Collective.
  /// - Returns: the samples met by nobody, and the first ids of each shard in the first batch.
  static func shareOut(
    _ data: TrainingData, _ plan: EpochPlan, _ resources: Resources, _ world: Communicator
  ) throws -> (leftOut: Int, first: [[UInt32]]) {
    let order = plan.order(epoch: 0)
    var met = [Int32](repeating: 0, count: plan.sampleCount)
    var samples: [Int] = []
    for step in 0..<plan.stepsPerEpoch {
      for shard in resources.placement.shards(of: world.rank) {
        order.map(plan.positions(step: step, shard: shard, of: resources.shards), into: &samples)
        for sample in samples { met[sample] += 1 }
      }
    }
    try world.allReduce(&met, .sum)
    let leftOut = met.reduce(0) { $0 + ($1 == 0 ? 1 : 0) }
    let dropped = plan.dropsLast ? plan.sampleCount % plan.globalBatchSize : 0
    guard leftOut == dropped, met.allSatisfy({ $0 <= 1 }) else {
      preconditionFailure("shards overlap or leave samples out: \(plan), \(resources.shards) shards")
    }
    let first = (0..<resources.shards).map { shard in
      plan.samples(epoch: 0, step: 0, shard: shard, of: resources.shards).prefix(3).map { data.train.id(of: $0) }
    }
    return (leftOut, first)
  }

  /// The run's kernels and what they need.
  static func planned(
    _ job: TrainingJob, _ recipe: Recipe, _ data: TrainingData, _ resources: Resources
  ) throws -> ExecutionPlan {
    var configuration = Trainer.configuration(
      network: job.network ?? data.network(recipe), recipe: recipe, resources: resources, data: data)
    switch recipe.planSource {
    // What is to be measured is not known yet; rules take about as much memory.
    case .rules, .measured: break
    case .library: configuration.kernelChoice = KernelChoice(.library)
    case .file(let path): configuration.kernelChoice = try PlanFile(path: path).choice
    }
    return try classifying { try ExecutionPlan(configuration) }
  }
}

extension RunDirectory {
  /// Finds out whether a run directory can be made and written, and leaves nothing behind.
  /// - Throws: 74 if not.
  static func checkWritable(_ path: String) throws {
    // The nearest directory that is there would hold the others.
    var place = path.isEmpty ? "." : path
    let files = FileManager.default
    while !files.fileExists(atPath: place) { place = parentDirectory(of: place) }
    let probe = place + "/.swift-dp-train-\(getpid())"
    let descriptor = open(probe, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw TrainingError(
        .cannotWrite,
        "--run-dir \(path): \(place) cannot be written (\(String(cString: strerror(errno)).lowercased())); give another directory."
      )
    }
    close(descriptor)
    unlink(probe)
  }
}
