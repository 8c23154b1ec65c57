extension Trainer {
  /// What stragglers cost this start of the run, on rank 0; nil on the others, and where less than two ranks compute. Collective.
  func stragglerReport(samplesPerSecond: Double, samplesPerStep: Double) throws -> StragglerReport? {
    let numbers = try world.gatherVarying(turns.numbers)
    guard world.rank == 0 else { return nil }
    let workers = world.size - recipe.serverRanks
    // A worker beside servers takes a shard's part at a time.
    let tickets = recipe.method.isAsynchronous ? Double(resources.shards) / Double(workers) : 1
    // A run that has not come to its method has been synchronous.
    let isOpening = state.position.step < method.synchronousSteps
    return StragglerReport(
      MeasuredTurns(numbers.prefix(workers)), StragglerMethod.all(recipe, ranks: workers),
      ran: StragglerMethod(
        isOpening ? .synchronous : recipe.method, localSteps: recipe.localSteps, backup: recipe.backupWorkers),
      // The steps of backup workers have fewer samples than were computed for them.
      samplesPerStep: recipe.method == .backupWorkers ? Double(recipe.batchSize) : samplesPerStep,
      measured: samplesPerSecond, ticketsPerStep: tickets)
  }
}
