import ArgumentParser
import Compression
import Training

struct MethodOptions: ParsableArguments {
  @Option(
    help: """
      synchronous; or with parameters of each shard's own: local (they take their mean every --local-steps), easgd (they and \
      a center attract each other every --local-steps), stochastic-push (mixed with one other shard's every step); or \
      through parameter servers: downpour (each gradient acts when it arrives), backup-workers (the first gradients of \
      a step do) and asynchronous-easgd (easgd with each worker at its own pace); or among workers at their own pace, beside a \
      coordinator: gossip (each pulls a random other's parameters every --local-steps) and gosgd (each pushes its own to a \
      random other with --push-probability). Default: synchronous.
      """)
  var method: String?
  @Option(help: "Steps between meetings of the shards, of local, easgd, asynchronous-easgd and gossip (default: 16).")
  var localSteps: Int?
  @Option(help: "Epochs at the beginning that are synchronous, of local and easgd (default: 0).")
  var localAfter: Double?
  @Option(help: "keep each shard's momentum, or average it where local takes the mean (default: keep).")
  var localMomentum: String?
  @Option(
    help: """
      Part of its distance to the center that a shard moves at a meeting of easgd or asynchronous-easgd (default: 0.9 ÷ shards).
      """)
  var elasticRate: Double?
  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast,
    help:
      "What a shard of stochastic-push sends is mixed in a step later, and travels beside the computation (default: off)."
  )
  var pushOverlap: Bool?
  @Option(help: "How many of the last ranks are servers of an asynchronous method, or its coordinator (default: 1).")
  var servers: Int?
  @Option(help: "Parts of batches between pushes of a worker of downpour (default: 1).") var pushEvery: Int?
  @Option(help: "Parts of batches between fetches of a worker of downpour (default: 1).") var fetchEvery: Int?
  @Option(
    help: """
      keep downpour's learning rate; scale it down for gradients staler than there are workers; or paper: the batch's rate \
      divided by a gradient's staleness (default: keep).
      """)
  var staleness: String?
  @Option(help: "λ of downpour's delay compensation, as 0.04 (default: 0, off).") var delayCompensation: Double?
  @Option(help: "Probability that a worker of gosgd pushes after a step (default: 0.02).") var pushProbability: Double?
  @Option(help: "Gradients of a step that backup-workers does not wait for (default: 1).") var backup: Int?

  @Option(
    help: """
      How gradients are compressed between shards: none, float16, bfloat16, 8-bit, 1-bit, sign, qsgd:LEVELS, terngrad, \
      top-k:RATIO, random-k:RATIO, dgc:RATIO[:EPOCHS] (epochs to get to the ratio: 4 unless given) or powersgd:RANK (default: none).
      """)
  var compress: String?

  func apply(to recipe: inout Recipe) throws {
    if let method { recipe.method = try known(method, flag: "--method") }
    if let localSteps {
      try check(localSteps > 0, "--local-steps \(localSteps)", "give at least 1")
      recipe.localSteps = localSteps
    }
    if let localAfter {
      try check(localAfter >= 0 && localAfter.isFinite, "--local-after \(localAfter)", "give epochs, 0 or more")
      recipe.localAfterEpochs = localAfter
    }
    if let localMomentum { recipe.localMomentum = try known(localMomentum, flag: "--local-momentum") }
    if let elasticRate {
      try check(elasticRate >= 0 && elasticRate < 1, "--elastic-rate \(elasticRate)", "give 0 or more and less than 1")
      recipe.elasticRate = elasticRate
    }
    if let pushOverlap { recipe.pushOverlaps = pushOverlap }
    try applyServers(to: &recipe)
    if let compress {
      do { recipe.compression = try GradientCompression(parsing: compress) } catch {
        throw TrainingError(.badConfiguration, "--compress \(compress): \(error)")
      }
    }
  }
  private func applyServers(to recipe: inout Recipe) throws {
    if let servers {
      try check(
        (1...1_000_000).contains(servers), "--servers \(servers)", servers < 1 ? "give at least 1" : "give fewer")
      recipe.servers = servers
    }
    if let pushEvery {
      try check(pushEvery > 0, "--push-every \(pushEvery)", "give at least 1")
      recipe.pushEvery = pushEvery
    }
    if let fetchEvery {
      try check(fetchEvery > 0, "--fetch-every \(fetchEvery)", "give at least 1")
      recipe.fetchEvery = fetchEvery
    }
    if let staleness { recipe.staleness = try known(staleness, flag: "--staleness") }
    if let delayCompensation {
      try check(
        delayCompensation >= 0 && delayCompensation.isFinite, "--delay-compensation \(delayCompensation)",
        "give 0 or more")
      recipe.delayCompensation = delayCompensation
    }
    if let pushProbability {
      try check(pushProbability >= 0 && pushProbability <= 1, "--push-probability \(pushProbability)", "give 0 to 1")
      recipe.pushProbability = pushProbability
    }
    if let backup {
      try check(backup >= 0, "--backup \(backup)", "give 0 or more")
      recipe.backupWorkers = backup
    }
  }
}
