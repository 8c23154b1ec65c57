import Collectives
import Compression
import Datasets
import Determinism
import Engine
import Models
import Networks
import Optimizers

/// Everything that decides which numbers a run computes, and nothing that does not (no paths, ranks or hosts).
///
/// `shards` and `threadsPerShard` are resolved before the run starts and kept for its life; nil means not yet resolved.
public struct Recipe: Sendable, Equatable {
  // The model and the data.
  public var model: ModelName = .lenet5
  public var dropout: Float = 0
  public var dataset: DatasetName = .fashionMNIST
  public var synthetic = SyntheticImages()
  /// Samples of the training set that are kept for evaluation in place of the test set; 0 for none.
  public var holdOut = 0
  public var shuffles = true
  public var dropsLast = false
  /// Pixels that training images are padded by before they are cropped at random; 0 for neither.
  public var randomCrop = 0
  /// Whether training images are mirrored at random.
  public var flipsHorizontally = false
  public var seed: UInt64 = 42
  /// Whether the batch norms that end residual branches start with γ = 0 (Goyal et al., 2017, section 5.1).
  public var zeroesResiduals = false

  // How long, and in what portions.
  public var batchSize = 256
  public var length = Length.epochs(5)
  /// At most so many samples of a shard go through the network at once; nil for all.
  public var microBatchSize: Int?
  public var shards: Int?
  public var threadsPerShard: Int?

  // The optimizer.
  public var optimizer = OptimizerName.sgd
  public var learningRate = 0.05
  /// How the highest rate follows from `learningRate`, which is then that of a batch of `referenceBatchSize`.
  public var learningRateScaling = LearningRateScaling.none
  public var referenceBatchSize = 256
  /// Of `sgd` and `lars`.
  public var momentum = 0.9
  public var nesterov = false
  /// Whether the trace holds steps and is corrected when the learning rate changes.
  public var correctsMomentum = false
  /// Of `adamw` and `lamb`: how slowly means of gradients and of their squares change.
  public var beta1 = 0.9
  public var beta2 = 0.999
  /// Nil for the optimizer's usual one: 1e-8 of `adamw`, 1e-6 of `lamb`, 0 of `lars`, 1e-10 of `adagrad`.
  public var epsilon: Double?
  /// Of `lars`.
  public var trustCoefficient = 0.001
  public var larsForm = LARSForm.mlperf
  public var weightDecay = 5e-4
  /// Whether weight decay also shrinks biases and batch-norm parameters.
  public var decaysAll = false
  public var clipNorm: Double?
  public var labelSmoothing: Float = 0
  /// The decay of the average of parameters that is evaluated and written in their place; nil for none.
  public var averageDecay: Double?
  public var schedule = Schedule.cosine
  /// Nil for half an epoch, or for a tenth of the run where that is less.
  public var warmupEpochs: Double?
  public var warmupStart = WarmupStart.rate(0)
  /// For the schedule `step`: where the rate is multiplied by `stepFactor`.
  public var milestones: [TrainingSpan] = []
  public var stepFactor = 0.1
  public var polynomialPower = 2.0
  public var decaySteps = DecaySteps.remaining
  public var finalLearningRate = 0.0

  // The method.
  /// How gradients are compressed on their way between shards.
  public var compression = GradientCompression.none
  public var method = Method.synchronous
  /// H of `local` and `easgd`, τ of `asynchronous-easgd` and `gossip`: steps between meetings of the shards.
  public var localSteps = 16
  /// Epochs at the beginning that are synchronous.
  public var localAfterEpochs = 0.0
  public var localMomentum = LocalMomentum.keep
  /// α of `easgd` and `asynchronous-easgd`; nil for 0.9 ÷ shards.
  public var elasticRate: Double?
  /// Whether what a shard of `stochastic-push` sends is mixed in a step later.
  public var pushOverlaps = false
  /// Ranks that are servers, of asynchronous methods.
  public var servers = 1
  /// Of `downpour`: parts of batches between pushes of a worker, and between its fetches.
  public var pushEvery = 1
  public var fetchEvery = 1
  public var staleness = StalenessRate.keep
  /// λ of `downpour`'s delay compensation; 0 for none.
  public var delayCompensation = 0.0
  /// Of `gosgd`: that a shard pushes after a step.
  public var pushProbability = 0.02
  /// B of `backup-workers`: gradients of a step that are not waited for.
  public var backupWorkers = 1

  // The kernels.
  public var planSource = PlanSource.rules
  /// Changes memory and time, and no bit, so it may be another when a run goes on.
  public var recomputation = Recomputation.none
  /// What activations are stored as and multiplied in.
  public var precision = Precision.float32

  // The sum of gradients.
  public var allReduce: AllReduceAlgorithm = .ring
  /// Of the algorithms with groups of shards; nil for a default that depends on the number of shards.
  public var shardsPerGroup: Int?
  public var bucketBytes = 4 << 20

  /// Samples of an evaluation block (numerics contract, rule 6).
  public var evaluationBlock = 250

  public init() {}

  public enum Length: Sendable, Hashable {
    case epochs(Int)
    /// Global steps.
    case steps(Int)
  }

  public enum OptimizerName: String, Sendable, CaseIterable {
    case sgd
    case lars
    case adamW = "adamw"
    case lamb
    case adagrad

    /// Whether it has a momentum of its own.
    public var hasMomentum: Bool { self == .sgd || self == .lars }
    /// Whether it has decays of two means.
    public var hasBetas: Bool { self == .adamW || self == .lamb }
  }

  public enum Schedule: String, Sendable, CaseIterable {
    case constant, step, cosine, polynomial
  }

  /// Which parameters LARS gives a trust ratio, and whether it knows an ε.
  public enum LARSForm: String, Sendable, CaseIterable {
    /// All of them, each its own, and no ε: You, Gitman, Ginsburg, 2017, algorithm 1.
    case paper
    /// Weights alone, and an ε: MLPerf's reference.
    case mlperf
  }

  /// What happens to training images at random.
  var augmentation: [ImageMap] {
    (randomCrop > 0 ? [.randomCrop(padding: randomCrop)] : []) + (flipsHorizontally ? [.horizontalFlip] : [])
  }

  func warmupSteps(stepsPerEpoch: Int) -> Int {
    if let warmupEpochs { return TrainingSpan.epochs(warmupEpochs).steps(stepsPerEpoch: stepsPerEpoch) }
    return min(
      TrainingSpan.epochs(0.5).steps(stepsPerEpoch: stepsPerEpoch), totalSteps(stepsPerEpoch: stepsPerEpoch) / 10)
  }

  /// The recipe with a warm-up in place of its default.
  package func withWarmup(stepsPerEpoch: Int) -> Recipe {
    var recipe = self
    recipe.warmupEpochs = Double(warmupSteps(stepsPerEpoch: stepsPerEpoch)) / Double(stepsPerEpoch)
    return warmupEpochs == nil ? recipe : self
  }

  public func totalSteps(stepsPerEpoch: Int) -> Int {
    switch length {
    case .epochs(let epochs): epochs * stepsPerEpoch
    case .steps(let steps): steps
    }
  }

  /// The optimizer as a chain of gradient transformations.
  public func transformations() throws -> [GradientTransformation] {
    try classifying {
      switch optimizer {
      case .sgd where codecTakesMomentum: try .stochasticGradientDescent(momentum: 0, weightDecay: 0)
      case .sgd:
        try .stochasticGradientDescent(
          momentum: momentum, nesterov: nesterov, correctingMomentum: correctsMomentum, weightDecay: weightDecay,
          clipNorm: clipNorm)
      case .lars:
        try .lars(
          coefficient: trustCoefficient, momentum: momentum, nesterov: nesterov, correctingMomentum: correctsMomentum,
          weightDecay: weightDecay, epsilon: larsForm == .paper ? 0 : epsilon ?? 0, clipNorm: clipNorm)
      case .adamW:
        try .adamW(
          beta1: beta1, beta2: beta2, epsilon: epsilon ?? 1e-8, weightDecay: weightDecay, clipNorm: clipNorm)
      case .lamb:
        try .lamb(
          beta1: beta1, beta2: beta2, epsilon: epsilon ?? 1e-6, weightDecay: weightDecay, clipNorm: clipNorm)
      case .adagrad: try .adagrad(epsilon: epsilon ?? 1e-10, weightDecay: weightDecay, clipNorm: clipNorm)
      }
    }
  }

  /// The average of parameters that is evaluated, if there is one.
  public func average() throws -> ParameterAverage? {
    try classifying { try averageDecay.map { try ParameterAverage(decay: $0) } }
  }

  /// The optimizer over a layout of this recipe's regions.
  func makeOptimizer(_ layout: UpdateLayout) throws -> Optimizer {
    Optimizer(layout, try transformations(), average: try average())
  }

  /// Whether trust ratios are for biases and batch-norm parameters too.
  public var isPaperLARS: Bool { optimizer == .lars && larsForm == .paper }

  /// The sizes of the micro-batches that a shard's `count` samples are cut into, none zero.
  package func microBatches(_ count: Int) -> [Int] {
    guard count > 0 else { return [] }
    let parts = microBatchSize.map { (count + $0 - 1) / $0 } ?? 1
    return (0..<parts).map { part($0, of: parts, in: count).count }
  }
}
