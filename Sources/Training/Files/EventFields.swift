/// One line of `events.jsonl`, as it is written and read. Fields that an event has not are left out.
struct EventFields: Codable {
  var event = ""
  /// Seconds since 1970.
  var time = 0.0
  var step: Int?
  var epoch: Double?
  var loss: Double?
  var gradientNorm: Double?
  var learningRate: Double?
  var samplesPerSecond: Double?
  var trainingSeconds: Double?
  var trainedSamples: Int?
  var sentBytes: Int?
  var gradientBytes: Int?
  var shareOfCompute: Double?
  var shareOfCommunication: Double?
  var shareOfData: Double?
  var shareOfUpdate: Double?
  var shareOfHiddenCommunication: Double?
  var shareOfSaving: Double?
  var shareOfBytes: Double?
  var exchangeSeconds: Double?
  var codingSeconds: Double?
  var plainSumSeconds: Double?
  var correct: Int?
  var total: Int?
  var isBest: Bool?
  var path: String?
  var bytes: Int?
  var seconds: Double?
  var waited: Double?
  var digests: [String]?
  var tickets: [Int]?
  var pushes: [Int]?
  var dropped: Int?
  var staleness: [Int]?
  var shareOfWaiting: Double?
  var stragglers: StragglerReport?
  var ranks: Int?
  var version: String?
  var plan: String?
  var fingerprint: String?
  var dataSHA256: String?
  var initSHA256: String?

  enum CodingKeys: String, CodingKey {
    case event, time, step, epoch, loss
    case gradientNorm = "gradient_norm"
    case learningRate = "learning_rate"
    case samplesPerSecond = "samples_per_second"
    case trainingSeconds = "training_seconds"
    case trainedSamples = "trained_samples"
    case sentBytes = "sent_bytes"
    case gradientBytes = "gradient_bytes"
    case shareOfCompute = "share_of_compute"
    case shareOfCommunication = "share_of_communication"
    case shareOfData = "share_of_data"
    case shareOfUpdate = "share_of_update"
    case shareOfHiddenCommunication = "share_of_hidden_communication"
    case shareOfSaving = "share_of_saving"
    case shareOfBytes = "share_of_bytes"
    case exchangeSeconds = "exchange_seconds"
    case codingSeconds = "coding_seconds"
    case plainSumSeconds = "plain_sum_seconds"
    case correct, total
    case isBest = "is_best"
    case path, bytes, seconds, waited, digests, tickets, pushes, dropped, staleness
    case shareOfWaiting = "share_of_waiting"
    case stragglers, ranks, version, plan, fingerprint
    case dataSHA256 = "data_sha256"
    case initSHA256 = "init_sha256"
  }

  init(step: Int? = nil) { self.step = step }

  init(_ report: StartReport) {
    (step, ranks, version) = (report.step, report.ranks, Version.text)
    (plan, fingerprint) = (report.plan, report.fingerprint)
    (dataSHA256, initSHA256) = (report.dataDigest, report.initialDigest)
  }

  init(_ report: StepReport) {
    step = report.step
    epoch = Double(report.epoch)
    loss = report.loss
    gradientNorm = report.gradientNorm
    learningRate = report.learningRate
    samplesPerSecond = report.samplesPerSecond
    trainingSeconds = report.totals.seconds
    trainedSamples = report.totals.samples
    sentBytes = report.totals.sentBytes
    gradientBytes = report.totals.gradientBytes
    shareOfCompute = report.shares.compute
    shareOfCommunication = report.shares.communication
    shareOfData = report.shares.data
    shareOfUpdate = report.shares.update
    shareOfHiddenCommunication = report.shares.hiddenCommunication
    shareOfSaving = report.shares.saving
    shareOfBytes = report.compression?.share
    exchangeSeconds = report.compression?.seconds
    codingSeconds = report.compression?.codingSeconds
    plainSumSeconds = report.compression?.plainSeconds
  }

  init(_ report: EvaluationReport) {
    step = report.step
    epoch = report.epoch
    loss = report.loss
    correct = report.correct
    total = report.total
    isBest = report.isBest
  }

  init(_ report: GradientReport) {
    step = report.step
    digests = report.digests
  }

  init(_ report: AsynchronousReport) {
    (step, tickets, pushes) = (report.step, report.tickets, report.pushes)
    (dropped, staleness) = (report.dropped, report.staleness)
  }

  init(_ summary: RunSummary) {
    step = summary.steps
    shareOfWaiting = summary.shareOfWaiting
    stragglers = summary.stragglers
  }

  init(_ report: SaveReport) {
    step = report.step
    path = report.path
    bytes = report.bytes
    seconds = report.seconds
    waited = report.waited
  }
}
