import ArgumentParser
import Compression
import Training

struct MethodOptions: ParsableArguments {
  @Option(
    help: """
      synchronous; or with parameters of each shard's own: local (they take their mean every --local-steps), easgd (they and \
      a center attract each other every --local-steps), stochastic-push (mixed with one other shard's every step; default: \
      synchronous).
      """)
  var method: String?
  @Option(help: "Steps between meetings of the shards, of local and easgd (default: 16).") var localSteps: Int?
  @Option(help: "Epochs at the beginning that are synchronous, of local and easgd (default: 0).")
  var localAfter: Double?
  @Option(help: "keep each shard's momentum, or average it where local takes the mean (default: keep).")
  var localMomentum: String?
  @Option(help: "Part of its distance to the center that a shard moves at a meeting of easgd (default: 0.9 ÷ shards).")
  var elasticRate: Double?

  @Option(
    help: """
      How gradients are compressed between shards: float16, bfloat16, 8-bit, 1-bit, sign, qsgd:LEVELS, terngrad, \
      top-k:RATIO, random-k:RATIO, dgc:RATIO[:EPOCHS] or powersgd:RANK (default: none).
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
      try check(elasticRate > 0 && elasticRate < 1, "--elastic-rate \(elasticRate)", "give more than 0 and less than 1")
      recipe.elasticRate = elasticRate
    }
    if let compress {
      do { recipe.compression = try GradientCompression(parsing: compress) } catch {
        throw TrainingError(.badConfiguration, "--compress \(compress): \(error)")
      }
    }
  }
}
