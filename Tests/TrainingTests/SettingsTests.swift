import Collectives
import Datasets
import Foundation
import Testing
import Training

/// How settings, sizes and numbers are written down.
@Suite struct SettingsTests {
  @Test func everySettingIsWrittenOnce() {
    let settings = Recipe().settings(InputFiles(dataDirectory: "/data"))
    #expect(Set(settings.map(\.key)).count == settings.count)
    #expect(settings.first { $0.key == "data-dir" }?.value == "/data")
    let lines = Recipe().configurationText().split(separator: "\n")
    #expect(lines.count == settings.count && lines.contains("shards: null") && lines.contains("epochs: 5"))
  }

  /// Two recipes that differ anywhere have settings that differ, or a checkpoint of one would go on as the other.
  @Test func everyFieldOfARecipeIsASetting() {
    let changes: [(inout Recipe) -> Void] = [
      { $0.model = .cnn }, { $0.dropout = 0.5 }, { $0.dataset = .mnist },
      { $0.synthetic.shape = ImageShape(channels: 1, height: 2, width: 3) }, { $0.synthetic.classCount = 3 },
      { $0.synthetic.trainCount = 3 }, { $0.synthetic.testCount = 3 }, { $0.holdOut = 3 }, { $0.shuffles = false },
      { $0.dropsLast = true }, { $0.randomCrop = 2 }, { $0.flipsHorizontally = true },
      { $0.seed = 3 }, { $0.batchSize = 3 }, { $0.length = .steps(5) }, { $0.length = .epochs(6) },
      { $0.microBatchSize = 3 }, { $0.shards = 3 }, { $0.threadsPerShard = 3 }, { $0.learningRate = 0.3 },
      { $0.momentum = 0.3 }, { $0.nesterov = true }, { $0.weightDecay = 0.3 }, { $0.decaysAll = true },
      { $0.clipNorm = 3 }, { $0.labelSmoothing = 0.3 }, { $0.schedule = .step }, { $0.warmupEpochs = 0.3 },
      { $0.milestones = [.steps(3)] }, { $0.milestones = [.epochs(3)] }, { $0.stepFactor = 0.3 },
      { $0.polynomialPower = 3 }, { $0.finalLearningRate = 0.3 }, { $0.planSource = .library },
      { $0.recomputation = .full },
      { $0.precision = .bf16 },
      { $0.allReduce = .native }, { $0.shardsPerGroup = 3 },
      { $0.optimizer = .lamb }, { $0.beta1 = 0.8 }, { $0.beta2 = 0.9 }, { $0.epsilon = 1e-3 },
      { $0.trustCoefficient = 1 }, { $0.bucketBytes = 300 }, { $0.zeroesResiduals = true },
      { $0.learningRateScaling = .sqrt }, { $0.referenceBatchSize = 3 }, { $0.correctsMomentum = true },
      { $0.larsForm = .paper }, { $0.averageDecay = 0.9 }, { $0.warmupStart = .rate(0.01) },
      { $0.warmupStart = .reference }, { $0.decaySteps = .mlperf }, { $0.decaySteps = .steps(3) },
      { $0.compression = .bfloat16 }, { $0.method = .local }, { $0.localSteps = 3 }, { $0.localAfterEpochs = 0.3 },
      { $0.localMomentum = .average }, { $0.elasticRate = 0.3 }, { $0.servers = 3 }, { $0.pushEvery = 3 },
      { $0.fetchEvery = 3 }, { $0.pushProbability = 0.3 }, { $0.pushOverlaps = true }, { $0.staleness = .scale },
      { $0.delayCompensation = 0.3 },
      { $0.backupWorkers = 3 },
    ]
    var texts = Set([Recipe().configurationText()])
    for (number, change) in changes.enumerated() {
      var recipe = Recipe()
      change(&recipe)
      #expect(texts.insert(recipe.configurationText()).inserted, "change \(number)")
    }
    // Every stored field of a recipe but the block of evaluation, which no flag changes, is changed above.
    #expect(Mirror(reflecting: Recipe()).children.count == 62)
  }

  /// A short run of default settings is a run: its warm-up is a tenth of it at most.
  @Test func theUsualWarmupFitsTheRun() throws {
    for stepsPerEpoch in [1, 2, 3, 10, 235] {
      for length in [Recipe.Length.steps(1), .steps(9), .steps(10), .steps(100), .steps(5000), .epochs(1), .epochs(5)] {
        var recipe = Recipe()
        recipe.length = length
        let rates = try recipe.learningRates(stepsPerEpoch: stepsPerEpoch)
        #expect(rates.warmupSteps <= rates.totalSteps / 10)
        #expect(rates.warmupSteps == min(rates.totalSteps / 10, (stepsPerEpoch + 1) / 2))
        // Resolved, and read back from a file of settings, it is the same.
        let resolved = recipe.withWarmup(stepsPerEpoch: stepsPerEpoch)
        var again = recipe
        let text = try #require(resolved.settings().first { $0.key == "warmup-epochs" }?.value)
        again.warmupEpochs = Double(text)
        #expect(try again.learningRates(stepsPerEpoch: stepsPerEpoch) == rates)
      }
    }
    var recipe = Recipe()
    recipe.length = .steps(3)
    recipe.warmupEpochs = 2
    #expect(throws: (any Error).self) { try recipe.learningRates(stepsPerEpoch: 5) }
  }

  @Test func byteCounts() {
    for (text, value) in [
      ("4MiB", 4 << 20), ("512KiB", 512 << 10), ("1GiB", 1 << 30), ("65536", 65536), ("7B", 7), ("1.5KiB", 1536),
      ("0", 0),
    ] {
      #expect(ByteCount(text)?.value == value)
    }
    for text in ["", "4MB", "x", "-1", "KiB", "1e30GiB", "nan"] { #expect(ByteCount(text) == nil, "\(text)") }
    for value in [0, 1, 1023, 1024, 1536, 1 << 20, 5 << 30] {
      #expect(ByteCount(ByteCount(value).text)?.value == value)
    }
  }

  @Test func numbersAreGrouped() {
    let numbers = [0, 7, 999, 1000, 12_345, 1_234_567, -1000]
    #expect(numbers.map(grouped) == ["0", "7", "999", "1,000", "12,345", "1,234,567", "-1,000"])
  }

  @Test func errorsHaveTheirExitCodes() {
    #expect(TrainingError(DataError("d")).exitCode == 65)
    #expect(TrainingError(TrainingError(.diverged, "t")).exitCode == 72)
    struct Other: Error {}
    #expect(TrainingError(Other()).exitCode == 71)
    #expect(
      [ExitCode.done, .badConfiguration, .badData, .hang, .rankFailed, .diverged, .cannotWrite, .savedOnRequest]
        .map(\.rawValue) == [0, 64, 65, 70, 71, 72, 74, 75])
    #expect(ExitCode.launchProblem.rawValue == 78)
  }

  @Test func eventsAreSortedAndTakeWhatJSONCannot() throws {
    let line = try RunDirectory.json(["b": Double.nan, "a": .infinity, "c": -.infinity])
    #expect(String(decoding: line, as: UTF8.self) == #"{"a":"inf","b":"nan","c":"-inf"}"#)
  }

  /// A fingerprint is one text on one machine, and its differences have names.
  @Test func fingerprintsAreCompared() {
    let here = Fingerprint.ofThisMachine()
    #expect(here == Fingerprint.ofThisMachine() && here["numerics"] == "\(Fingerprint.numericsRevision)")
    let fields = here.fields.map { field in
      Fingerprint.Field(name: field.name, value: field.name == "oneDNN" ? "9.9" : field.value)
    }
    #expect(
      here.differences(inLine: Fingerprint(fields: fields).description) == "oneDNN 9.9 (here \(here["oneDNN"]))")
    #expect(here.differences(inLine: here.description) == "")
    #expect(here.differences(inLine: "another, machine") == "another, machine (here \(here))")
  }
}
