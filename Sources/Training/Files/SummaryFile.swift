/// How a run ended, as `summary.json` holds it. Scripts depend on the names.
public struct SummaryFile: Codable, Sendable, Hashable {
  public var model: String
  public var dataset: String
  public var parametersSHA256: String
  public var stateSHA256: String
  public var steps: Int
  public var epochs: Double
  public var finalTrainLoss: Double
  public var testCorrect: Int
  public var testTotal: Int
  public var testAccuracy: Double
  public var testLoss: Double
  public var bestAccuracy: Double
  public var bestEpoch: Double
  public var samplesPerSecond: Double
  public var seconds: Double
  public var ranks: Int
  public var shards: Int
  public var threadsPerShard: Int
  public var plan: String
  public var fingerprint: String
  public var version: String
  /// Of asynchronous methods, since the job began: parts of batches that each worker computed, gradients that each server took,
  /// those that came too late, and how many there were of each staleness.
  public var tickets: [Int]?
  public var pushes: [Int]?
  public var dropped: Int?
  public var staleness: [Int]?
  /// Where there were any, or time was lost on purpose.
  public var stragglers: StragglerReport?

  enum CodingKeys: String, CodingKey {
    case model, dataset
    case parametersSHA256 = "parameters_sha256"
    case stateSHA256 = "state_sha256"
    case steps, epochs
    case finalTrainLoss = "final_train_loss"
    case testCorrect = "test_correct"
    case testTotal = "test_total"
    case testAccuracy = "test_accuracy"
    case testLoss = "test_loss"
    case bestAccuracy = "best_accuracy"
    case bestEpoch = "best_epoch"
    case samplesPerSecond = "samples_per_second"
    case seconds, ranks, shards
    case threadsPerShard = "threads_per_shard"
    case plan, fingerprint, version, tickets, pushes, dropped, staleness, stragglers
  }

  init(_ summary: RunSummary, _ trainer: Trainer, ranks: Int) {
    model = trainer.network.name
    dataset = trainer.data.name
    parametersSHA256 = summary.parametersDigest
    stateSHA256 = summary.stateDigest
    steps = summary.steps
    epochs = summary.epochs
    finalTrainLoss = summary.finalTrainLoss
    testCorrect = summary.test.correct
    testTotal = summary.test.total
    testAccuracy = summary.test.accuracy
    testLoss = summary.test.loss
    bestAccuracy = summary.best.accuracy
    bestEpoch = summary.best.epoch
    samplesPerSecond = summary.samplesPerSecond
    seconds = summary.seconds
    self.ranks = ranks
    shards = trainer.resources.shards
    threadsPerShard = trainer.resources.threadsPerShard
    plan = trainer.planDigest
    fingerprint = Fingerprint.ofThisMachine().description
    version = Version.text
    let report = summary.asynchronous
    (tickets, pushes, dropped, staleness) = (report?.tickets, report?.pushes, report?.dropped, report?.staleness)
    stragglers = summary.stragglers
  }
}
