extension Recipe {
  /// What the ranks of the job make impossible.
  /// - Throws: 64.
  func check(workers: Int, shards: Int) throws {
    guard method.isAsynchronous, method != .downpour else { return }
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
