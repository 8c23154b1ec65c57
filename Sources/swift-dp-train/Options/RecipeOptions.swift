import ArgumentParser
import Collectives
import Datasets
import Models
import Optimizers
import Training

/// The settings that decide which numbers a run computes. All are optional here: what is not given is the default of
/// `Recipe`.
struct RecipeOptions: ParsableArguments {
  @OptionGroup(title: "Model and data") var data: DataOptions
  @OptionGroup(title: "Length and batches") var batches: BatchOptions
  @OptionGroup(title: "Optimizer") var optimizer: OptimizerOptions
  @OptionGroup(title: "Method") var method: MethodOptions
  @OptionGroup(title: "Kernels") var kernels: KernelOptions
  @OptionGroup(title: "Sum of gradients") var reduction: ReductionOptions

  /// Changes what the options give and leaves the rest, so that sources of settings are applied one over another.
  func apply(to recipe: inout Recipe) throws {
    try data.apply(to: &recipe)
    try batches.apply(to: &recipe)
    try optimizer.apply(to: &recipe)
    try method.apply(to: &recipe)
    try kernels.apply(to: &recipe)
    try reduction.apply(to: &recipe)
  }
}

struct DataOptions: ParsableArguments {
  @Option(help: "A built-in model, as `models list` names it (default: lenet5).") var model: String?
  @Option(name: .customLong("init"), help: "Start from the parameters of a safetensors file.") var initial: String?
  @Option(help: "Layers whose parameters --init leaves at their start, as fc2 or fc1,fc2.") var initSkip: String?
  @Option(help: "Probability of dropping a feature in front of the last fully connected layer (default: 0).")
  var dropout: Float?
  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast,
    help:
      "Start the batch norms that end residual branches at zero, so that blocks start as their shortcuts (default: off)."
  )
  var zeroInitResidual: Bool?
  @OptionGroup var set: DatasetOptions
  @Option(help: "Training images kept for evaluation in place of the test set (default: 0).") var holdOut: Int?
  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast, help: "Permute the training set anew in each epoch (default).")
  var shuffle: Bool?
  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast,
    help: "Leave out an epoch's last batch if it is not full (default: off).")
  var dropLast: Bool?
  @Option(help: "Crop training images at random after padding them by so many pixels (default: 0, off).")
  var randomCrop: Int?
  @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "Mirror training images at random (default: off).")
  var horizontalFlip: Bool?
  @Option(help: "Seed of everything random (default: 42).") var seed: UInt64?

  func apply(to inputs: inout InputFiles) {
    inputs.dataDirectory = set.dataDir ?? inputs.dataDirectory
    inputs.parameters = initial ?? inputs.parameters
    if let initSkip {
      inputs.skippedLayers = initSkip.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
    }
  }

  func apply(to recipe: inout Recipe) throws {
    if let model { recipe.model = try known(model, flag: "--model") }
    if let dropout {
      try check(
        dropout >= 0 && dropout < 1, "--dropout \(dropout)", "give a probability from 0 up to, not including, 1")
      recipe.dropout = dropout
    }
    if let zeroInitResidual { recipe.zeroesResiduals = zeroInitResidual }
    try set.apply(to: &recipe)
    if let holdOut {
      try check(holdOut >= 0, "--hold-out \(holdOut)", "give a number of training images, or 0")
      recipe.holdOut = holdOut
    }
    if let shuffle { recipe.shuffles = shuffle }
    if let dropLast { recipe.dropsLast = dropLast }
    if let randomCrop {
      try check((0...64).contains(randomCrop), "--random-crop \(randomCrop)", "give a padding of 0 to 64 pixels")
      recipe.randomCrop = randomCrop
    }
    if let horizontalFlip { recipe.flipsHorizontally = horizontalFlip }
    if let seed { recipe.seed = seed }
  }
}

struct BatchOptions: ParsableArguments {
  @Option(help: "Samples of a global batch, whatever the number of ranks (default: 256).") var batchSize: Int?
  @Option(help: "Epochs to train (default: 5).") var epochs: Int?
  @Option(help: "Global steps to train, in place of epochs.") var steps: Int?
  @Option(help: "At most so many samples of a shard at once; the rest is accumulated.") var microBatchSize: Int?
  @Option(help: "Shards of the run, fixed for its life (default: the ranks it is started with).") var shards: Int?
  @Option(help: "Threads of each shard (default: cores ÷ ranks, or 1 if --shards is given).") var threadsPerShard: Int?

  func apply(to recipe: inout Recipe) throws {
    let most = 1_000_000_000
    if let batchSize {
      try check(
        (1...most).contains(batchSize), "--batch-size \(batchSize)",
        "give the samples of a global batch, \(batchSize < 1 ? "at least 1" : "at most \(most)")")
      recipe.batchSize = batchSize
    }
    if let epochs, let steps {
      throw invalid("--epochs \(epochs) and --steps \(steps) together", "give one of them")
    }
    if let epochs {
      try check(
        (1...most).contains(epochs), "--epochs \(epochs)", epochs < 1 ? "give at least 1" : "give at most \(most)")
      recipe.length = .epochs(epochs)
    }
    if let steps {
      try check((1...most).contains(steps), "--steps \(steps)", steps < 1 ? "give at least 1" : "give at most \(most)")
      recipe.length = .steps(steps)
    }
    if let microBatchSize {
      try check(
        (1...most).contains(microBatchSize), "--micro-batch-size \(microBatchSize)",
        microBatchSize < 1 ? "give at least 1, or leave it out" : "leave it out")
      recipe.microBatchSize = microBatchSize
    }
    if let shards {
      try check(
        (1...1_000_000).contains(shards), "--shards \(shards)", shards < 1 ? "give at least 1" : "give at most 1000000")
      recipe.shards = shards
    }
    if let threadsPerShard {
      try check((1...1024).contains(threadsPerShard), "--threads-per-shard \(threadsPerShard)", "give 1 to 1024")
      recipe.threadsPerShard = threadsPerShard
    }
  }
}

struct OptimizerOptions: ParsableArguments {
  @Option(help: "sgd, lars, adamw, lamb or adagrad (default: sgd).") var optimizer: String?
  @Option(help: "The highest learning rate, for the global batch as it is unless --scale-lr is given (default: 0.05).")
  var learningRate: Double?
  @Option(
    name: .customLong("scale-lr"),
    help: """
      none, or linear or sqrt: --learning-rate is that of a batch of --reference-batch, and is multiplied with k or √k for \
      a batch of k times as many (default: none).
      """)
  var learningRateScaling: String?
  @Option(name: .customLong("reference-batch"), help: "Samples of the batch that the rate is for (default: 256).")
  var referenceBatchSize: Int?
  @Option(help: "Momentum of sgd and lars (default: 0.9).") var momentum: Double?
  @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "Nesterov's form of momentum (default: off).")
  var nesterov: Bool?
  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast,
    help: "Momentum holds steps, not gradients, and is corrected when the learning rate changes (default: off).")
  var momentumCorrection: Bool?
  @Option(help: "Decay of the mean of gradients, of adamw and lamb (default: 0.9).") var beta1: Double?
  @Option(help: "Decay of the mean of their squares (default: 0.999).") var beta2: Double?
  @Option(help: "What keeps quotients finite (default: 1e-8 of adamw, 1e-6 of lamb, 0 of lars, 1e-10 of adagrad).")
  var epsilon: Double?
  @Option(help: "What lars multiplies trust ratios with (default: 0.001).") var trustCoefficient: Double?
  @Option(
    help:
      "paper: trust ratios for all parameters; or mlperf: not for biases and batch-norm parameters (default: mlperf).")
  var larsForm: String?
  @Option(help: "Weight decay, not on biases and batch-norm parameters (default: 5e-4).") var weightDecay: Double?
  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast, help: "Decay biases and batch-norm parameters too (default: off)."
  )
  var decayAll: Bool?
  @Option(help: "Clip the gradient to this global L2 norm (default: off).") var clipNorm: Double?
  @Option(help: "Label smoothing (default: 0).") var labelSmoothing: Float?
  @Option(
    name: .customLong("average-parameters"),
    help: "Evaluate and write an exponential average of the parameters, of this decay, as 0.999 (default: off).")
  var averageDecay: Double?
  @Option(help: "constant, step, cosine or polynomial (default: cosine).") var schedule: String?
  @Option(help: "Epochs over which the rate rises by equal steps (default: half an epoch, at most a tenth of the run).")
  var warmupEpochs: Double?
  @Option(help: "The rate it rises from, or reference for --learning-rate as it is before --scale-lr (default: 0).")
  var warmupStart: String?
  @Option(help: "Where the schedule step lowers the rate, as 30,60,80 (epochs) or 500st,800st (steps).")
  var milestones: String?
  @Option(help: "What the schedule step multiplies the rate with (default: 0.1).") var stepFactor: Double?
  @Option(help: "Power of the polynomial schedule (default: 2).") var polynomialPower: Double?
  @Option(
    help: """
      Steps from the end of the warm-up in which polynomial falls, or mlperf: one more than are left (default: those left).
      """)
  var decaySteps: String?
  @Option(help: "Learning rate at the end of cosine and polynomial (default: 0).") var finalLearningRate: Double?

  func apply(to recipe: inout Recipe) throws {
    if let optimizer { recipe.optimizer = try known(optimizer, flag: "--optimizer") }
    if let beta1 { recipe.beta1 = beta1 }
    if let beta2 { recipe.beta2 = beta2 }
    if let epsilon { recipe.epsilon = epsilon }
    if let trustCoefficient { recipe.trustCoefficient = trustCoefficient }
    if let larsForm { recipe.larsForm = try known(larsForm, flag: "--lars-form") }
    try applyRates(to: &recipe)
    if let momentum { recipe.momentum = momentum }
    if let nesterov { recipe.nesterov = nesterov }
    if let momentumCorrection { recipe.correctsMomentum = momentumCorrection }
    if let weightDecay { recipe.weightDecay = weightDecay }
    if let decayAll { recipe.decaysAll = decayAll }
    if let clipNorm { recipe.clipNorm = clipNorm }
    if let labelSmoothing {
      try check(
        (0..<1).contains(labelSmoothing), "--label-smoothing \(labelSmoothing)", "give 0 up to, not including, 1")
      recipe.labelSmoothing = labelSmoothing
    }
    if let averageDecay { recipe.averageDecay = averageDecay }
  }

  private func applyRates(to recipe: inout Recipe) throws {
    if let learningRate { recipe.learningRate = learningRate }
    if let learningRateScaling { recipe.learningRateScaling = try known(learningRateScaling, flag: "--scale-lr") }
    if let referenceBatchSize {
      try check(referenceBatchSize > 0, "--reference-batch \(referenceBatchSize)", "give at least 1")
      recipe.referenceBatchSize = referenceBatchSize
    }
    if let schedule { recipe.schedule = try known(schedule, flag: "--schedule") }
    if let warmupEpochs {
      try check(warmupEpochs >= 0 && warmupEpochs.isFinite, "--warmup-epochs \(warmupEpochs)", "give 0 or more")
      recipe.warmupEpochs = warmupEpochs
    }
    if let warmupStart {
      guard let start = Recipe.WarmupStart(warmupStart) else {
        throw invalid("--warmup-start \(warmupStart)", "give a learning rate, or reference")
      }
      recipe.warmupStart = start
    }
    if let milestones {
      recipe.milestones = try milestones.split(separator: ",").map { text in
        guard let span = TrainingSpan(text) else {
          throw invalid("--milestones \(milestones)", "give epochs as 30,60,80 or steps as 500st,800st")
        }
        return span
      }
    }
    if let stepFactor { recipe.stepFactor = stepFactor }
    if let polynomialPower { recipe.polynomialPower = polynomialPower }
    if let decaySteps {
      guard let steps = Recipe.DecaySteps(decaySteps) else {
        throw invalid("--decay-steps \(decaySteps)", "give a number of steps, or mlperf")
      }
      recipe.decaySteps = steps
    }
    if let finalLearningRate { recipe.finalLearningRate = finalLearningRate }
  }
}

struct ReductionOptions: ParsableArguments {
  @Option(
    help: """
      ring, segmented-ring, halving-doubling, recursive-doubling, hierarchical, torus, double-tree; auto (by size, from \
      constants); or native: the MPI library's own sum, whose bits depend on ranks (default: ring).
      """)
  var allReduce: String?
  @Option(help: "Shards of a group of hierarchical or a row of torus (default: the greatest divisor up to √S).")
  var shardsPerGroup: Int?
  @Option(help: "Gradients that are summed together, as 4MiB or 512KiB (default: 4MiB).") var bucketSize: String?

  func apply(to recipe: inout Recipe) throws {
    if let allReduce { recipe.allReduce = try known(allReduce, flag: "--all-reduce") }
    if let shardsPerGroup {
      try check(shardsPerGroup > 0, "--shards-per-group \(shardsPerGroup)", "give at least 1")
      recipe.shardsPerGroup = shardsPerGroup
    }
    if let bucketSize {
      guard let bytes = ByteCount(bucketSize), bytes.value >= 4 else {
        throw invalid("--bucket-size \(bucketSize)", "give a size as 4MiB, 512KiB or 65536")
      }
      recipe.bucketBytes = bytes.value
    }
  }
}

struct KernelOptions: ParsableArguments {
  @Option(
    help: """
      rules, library (oneDNN's kernels alone), measured (time both and keep plan.json), or the plan.json of another run \
      (default: rules).
      """)
  var plan: String?
  @Option(
    help: """
      Which activations are computed again in the backward pass to save memory: none, selective (what costs little) or \
      full (as much as helps; up to a quarter more time). Changes no bit (default: none).
      """)
  var recompute: String?

  @Option(
    help: """
      float32, or bf16: activations and products in bfloat16, parameters and sums in float32 (default: float32). Without \
      AVX512-BF16 it is emulated and slow.
      """)
  var precision: String?

  func apply(to recipe: inout Recipe) throws {
    if let plan { recipe.planSource = PlanSource(plan) }
    if let precision { recipe.precision = try known(precision, flag: "--precision") }
    if let recompute { recipe.recomputation = try known(recompute, flag: "--recompute") }
  }
}
