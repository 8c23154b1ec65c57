import MPI

extension Recipe {
  /// What the ranks of a job compute with. Collective.
  ///
  /// - Throws: 64 where they make the method impossible.
  func resources(on world: Communicator, shards: Int?, threads: Int?) throws -> Resources {
    let resources = try Resources(world: world, shards: shards, threadsPerShard: threads, servers: serverRanks)
    try world.agree { try check(workers: world.size - serverRanks, shards: resources.shards) }
    return resources
  }

  /// What the ranks of the job make impossible.
  /// - Throws: 64.
  private func check(workers: Int, shards: Int) throws {
    if method == .easgd, let elasticRate, elasticRate * Double(shards) > 1 {
      throw TrainingError(
        .badConfiguration,
        "--elastic-rate \(elasticRate) of each of \(count(shards, "shard")) moves the center past their mean: give at most "
          + "1 ÷ \(shards).")
    }
    guard method.hasWorkerPerShard else { return }
    guard workers == shards else {
      throw TrainingError(
        .badConfiguration,
        "--method \(method.rawValue) has \(count(shards, "shard")) on \(count(workers, "worker")): give each worker one, as with "
          + "mpirun -np \(shards + servers), or leave --shards out.")
    }
    guard method != .backupWorkers || backupWorkers < shards else {
      throw TrainingError(
        .badConfiguration,
        "--backup \(backupWorkers) of \(count(shards, "worker")) leaves no gradient to be waited for; give less than \(shards)."
      )
    }
  }
}
