import MPI
import TensorFiles

/// What can be found out about all runs before the first starts.
extension ComparisonJob {
  /// Stops where a rank has other runs than rank 0. Collective.
  func checkEqual(on world: Communicator) throws {
    let text = runs.map { "\($0.name)\n\($0.recipe.configurationText())" }.joined(separator: "\n")
    let strangers = try world.ranksThatDiffer(SHA256.hash(Array(text.utf8)).bytes)
    let hosts = try world.allGather(MPILibrary.processorName)
    guard let stranger = strangers.first else { return }
    try world.agree {
      throw TrainingError(
        .badConfiguration,
        "rank \(stranger) on \(hosts[stranger]) has other runs to compare than the rest; give all hosts the same file and flags."
      )
    }
  }

  /// The runs with shards and threads, those of runs that were begun as they were then. Collective.
  func resolved(_ before: ComparisonRecord?, on world: Communicator) throws -> [Run] {
    var stored = runs.flatMap { run -> [Int] in
      let record = before?.runs.first { $0.label == run.label }
      return ["shards", "threads-per-shard"].map { record?.value($0).flatMap { Int($0) } ?? 0 }
    }
    try world.broadcast(&stored)
    return try runs.enumerated().map { index, run in
      var run = run
      func known(_ value: Int) -> Int? { value > 0 ? value : nil }
      let threads = run.recipe.threadsPerShard ?? known(stored[2 * index + 1])
      let shards = run.recipe.shards ?? known(stored[2 * index])
      let resources = try naming(run.name) {
        let resources = try run.recipe.resources(on: world, shards: shards, threads: threads)
        try world.agree { try template.delay?.check(ranks: world.size - run.recipe.serverRanks) }
        return resources
      }
      (run.recipe.shards, run.recipe.threadsPerShard) = (resources.shards, resources.threadsPerShard)
      return run
    }
  }

  /// Reads the data of each run once and asks what they make impossible. Collective.
  func checkData(_ runs: [Run], on world: Communicator) throws {
    var data: (of: Run, value: TrainingData)?
    for run in runs {
      try naming(run.name) {
        try world.agree {
          let read =
            try data.flatMap { $0.of.readsTheSame(as: run) ? $0.value : nil }
            ?? TrainingData(run.recipe, directory: run.inputs.dataDirectory)
          data = (run, read)
          try run.recipe.check(against: read)
          if run.recipe.zeroesResiduals { try read.network(run.recipe).checkResidualBranches() }
        }
      }
    }
  }

  /// Puts the run's name in front of an error that all ranks agree on.
  private func naming<Result>(_ name: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let failure as JobFailure { throw failure.named(name) }
  }
}

extension ComparisonJob.Run {
  fileprivate func readsTheSame(as other: Self) -> Bool {
    (recipe.dataset, recipe.holdOut, recipe.synthetic, inputs.dataDirectory)
      == (other.recipe.dataset, other.recipe.holdOut, other.recipe.synthetic, other.inputs.dataDirectory)
  }
}

extension JobFailure {
  func named(_ run: String) -> JobFailure {
    var failure = self
    failure.message = "run \(run): \(message)"
    return failure
  }
}
