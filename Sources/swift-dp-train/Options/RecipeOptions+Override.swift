/// Options of one source over those of another: what the second gives wins.
extension RecipeOptions {
  mutating func override(with other: RecipeOptions) {
    data.override(with: other.data)
    batches.override(with: other.batches)
    optimizer.override(with: other.optimizer)
    method.override(with: other.method)
    kernels.plan = other.kernels.plan ?? kernels.plan
    kernels.recompute = other.kernels.recompute ?? kernels.recompute
    kernels.precision = other.kernels.precision ?? kernels.precision
    reduction.override(with: other.reduction)
  }
}

extension DataOptions {
  mutating func override(with other: DataOptions) {
    model = other.model ?? model
    dropout = other.dropout ?? dropout
    zeroInitResidual = other.zeroInitResidual ?? zeroInitResidual
    set.override(with: other.set)
    holdOut = other.holdOut ?? holdOut
    shuffle = other.shuffle ?? shuffle
    dropLast = other.dropLast ?? dropLast
    randomCrop = other.randomCrop ?? randomCrop
    horizontalFlip = other.horizontalFlip ?? horizontalFlip
    seed = other.seed ?? seed
  }
}

extension BatchOptions {
  mutating func override(with other: BatchOptions) {
    // Epochs and steps are one setting.
    if other.epochs != nil || other.steps != nil { (epochs, steps) = (nil, nil) }
    batchSize = other.batchSize ?? batchSize
    epochs = other.epochs ?? epochs
    steps = other.steps ?? steps
    microBatchSize = other.microBatchSize ?? microBatchSize
    shards = other.shards ?? shards
    threadsPerShard = other.threadsPerShard ?? threadsPerShard
  }
}

extension OptimizerOptions {
  mutating func override(with other: OptimizerOptions) {
    optimizer = other.optimizer ?? optimizer
    beta1 = other.beta1 ?? beta1
    beta2 = other.beta2 ?? beta2
    epsilon = other.epsilon ?? epsilon
    trustCoefficient = other.trustCoefficient ?? trustCoefficient
    larsForm = other.larsForm ?? larsForm
    learningRate = other.learningRate ?? learningRate
    learningRateScaling = other.learningRateScaling ?? learningRateScaling
    referenceBatchSize = other.referenceBatchSize ?? referenceBatchSize
    momentum = other.momentum ?? momentum
    nesterov = other.nesterov ?? nesterov
    momentumCorrection = other.momentumCorrection ?? momentumCorrection
    weightDecay = other.weightDecay ?? weightDecay
    decayAll = other.decayAll ?? decayAll
    clipNorm = other.clipNorm ?? clipNorm
    labelSmoothing = other.labelSmoothing ?? labelSmoothing
    averageDecay = other.averageDecay ?? averageDecay
    schedule = other.schedule ?? schedule
    warmupEpochs = other.warmupEpochs ?? warmupEpochs
    warmupStart = other.warmupStart ?? warmupStart
    milestones = other.milestones ?? milestones
    stepFactor = other.stepFactor ?? stepFactor
    polynomialPower = other.polynomialPower ?? polynomialPower
    decaySteps = other.decaySteps ?? decaySteps
    finalLearningRate = other.finalLearningRate ?? finalLearningRate
  }
}

extension MethodOptions {
  mutating func override(with other: MethodOptions) {
    method = other.method ?? method
    localSteps = other.localSteps ?? localSteps
    localAfter = other.localAfter ?? localAfter
    localMomentum = other.localMomentum ?? localMomentum
    elasticRate = other.elasticRate ?? elasticRate
    pushOverlap = other.pushOverlap ?? pushOverlap
    servers = other.servers ?? servers
    pushEvery = other.pushEvery ?? pushEvery
    fetchEvery = other.fetchEvery ?? fetchEvery
    staleness = other.staleness ?? staleness
    delayCompensation = other.delayCompensation ?? delayCompensation
    pushProbability = other.pushProbability ?? pushProbability
    backup = other.backup ?? backup
    compress = other.compress ?? compress
  }
}

extension ReductionOptions {
  mutating func override(with other: ReductionOptions) {
    allReduce = other.allReduce ?? allReduce
    shardsPerGroup = other.shardsPerGroup ?? shardsPerGroup
    bucketSize = other.bucketSize ?? bucketSize
  }
}

extension DatasetOptions {
  mutating func override(with other: DatasetOptions) {
    dataset = other.dataset ?? dataset
    dataDir = other.dataDir ?? dataDir
    syntheticShape = other.syntheticShape ?? syntheticShape
    syntheticClasses = other.syntheticClasses ?? syntheticClasses
    syntheticTrain = other.syntheticTrain ?? syntheticTrain
    syntheticTest = other.syntheticTest ?? syntheticTest
  }
}
