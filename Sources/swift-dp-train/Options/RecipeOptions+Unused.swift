import Training

extension RecipeOptions {
  /// Refuses what is given here but means nothing in the recipe that comes of it: a setting that looks as if it acted.
  ///
  /// For the flags of a command line; a configuration file has every setting, used or not.
  func checkUse(in recipe: Recipe) throws {
    func check(_ value: Any?, _ flag: String, _ isUsed: Bool, _ setting: String, _ remedy: String) throws {
      guard let value, !isUsed else { return }
      throw invalid("\(flag) \(value) with \(setting)", "give \(remedy), or leave it out")
    }
    try data.set.checkUse(in: recipe)
    try check(
      reduction.shardsPerGroup, "--shards-per-group", recipe.allReduce == .hierarchical || recipe.allReduce == .torus,
      "--all-reduce \(recipe.allReduce.rawValue)", "--all-reduce hierarchical or torus")
    try checkMethod(recipe)
    let name = "--optimizer \(recipe.optimizer.rawValue)"
    let hasMomentum = recipe.optimizer.hasMomentum
    try check(optimizer.momentum, "--momentum", hasMomentum, name, "--optimizer sgd or lars")
    try check(
      optimizer.nesterov, "--nesterov", hasMomentum || optimizer.nesterov == false, name, "--optimizer sgd or lars")
    try check(optimizer.beta1, "--beta1", recipe.optimizer.hasBetas, name, "--optimizer adamw or lamb")
    try check(optimizer.beta2, "--beta2", recipe.optimizer.hasBetas, name, "--optimizer adamw or lamb")
    try check(
      optimizer.momentumCorrection, "--momentum-correction", hasMomentum || optimizer.momentumCorrection == false, name,
      "--optimizer sgd or lars")
    try check(
      optimizer.epsilon, "--epsilon", recipe.optimizer != .sgd, name, "--optimizer lars, adamw, lamb or adagrad")
    try check(optimizer.epsilon, "--epsilon", !recipe.isPaperLARS, "--lars-form paper", "--lars-form mlperf")
    try check(optimizer.trustCoefficient, "--trust-coefficient", recipe.optimizer == .lars, name, "--optimizer lars")
    try check(optimizer.larsForm, "--lars-form", recipe.optimizer == .lars, name, "--optimizer lars")
    try check(
      optimizer.referenceBatchSize, "--reference-batch", recipe.learningRateScaling != .none, "--scale-lr none",
      "--scale-lr linear or sqrt")
    try check(
      recipe.warmupStart == .reference ? optimizer.warmupStart : nil, "--warmup-start",
      recipe.learningRateScaling != .none, "--scale-lr none", "--scale-lr linear or sqrt, or a rate")
    try check(
      optimizer.warmupStart, "--warmup-start", recipe.warmupEpochs != 0, "--warmup-epochs 0", "epochs to warm up in")
    let schedule = "--schedule \(recipe.schedule.rawValue)"
    let isStep = recipe.schedule == .step
    let hasEnd = recipe.schedule == .cosine || recipe.schedule == .polynomial
    try check(optimizer.milestones, "--milestones", isStep, schedule, "--schedule step")
    try check(optimizer.stepFactor, "--step-factor", isStep, schedule, "--schedule step")
    try check(
      optimizer.polynomialPower, "--polynomial-power", recipe.schedule == .polynomial, schedule,
      "--schedule polynomial")
    try check(
      optimizer.decaySteps, "--decay-steps", recipe.schedule == .polynomial, schedule, "--schedule polynomial")
    try check(
      optimizer.finalLearningRate, "--final-learning-rate", hasEnd, schedule, "--schedule cosine or polynomial")
  }

  private func checkMethod(_ recipe: Recipe) throws {
    func check(_ value: Any?, _ flag: String, _ methods: Recipe.Method...) throws {
      guard let value, !methods.contains(recipe.method) else { return }
      throw invalid(
        "\(flag) \(value) with --method \(recipe.method.rawValue)",
        "give --method \(alternatives(methods.map(\.rawValue))), or leave it out")
    }
    try check(method.localSteps, "--local-steps", .local, .easgd, .asynchronousEASGD, .gossip)
    try check(method.localAfter, "--local-after", .local, .easgd)
    try check(method.localMomentum, "--local-momentum", .local)
    try check(method.elasticRate, "--elastic-rate", .easgd, .asynchronousEASGD)
    if method.pushOverlap == true && recipe.method != .stochasticPush {
      throw invalid(
        "--push-overlap with --method \(recipe.method.rawValue)", "give --method stochastic-push, or leave it out")
    }
    try check(method.servers, "--servers", .downpour, .backupWorkers, .asynchronousEASGD, .gossip, .goSGD)
    try check(method.pushProbability, "--push-probability", .goSGD)
    try check(method.pushEvery, "--push-every", .downpour)
    try check(method.fetchEvery, "--fetch-every", .downpour)
    try check(method.staleness, "--staleness", .downpour)
    try check(method.delayCompensation, "--delay-compensation", .downpour)
    try check(method.backup, "--backup", .backupWorkers)
    try checkServers(recipe)
    if recipe.compression != .none {
      let setting = "--compress \(recipe.compression)"
      func refuse(_ found: String, _ remedy: String) throws { throw invalid("\(setting) with \(found)", remedy) }
      let name = recipe.method.rawValue
      if recipe.method != .synchronous {
        try refuse("--method \(name)", "leave one of them out: codecs are of synchronous sums")
      }
      if let given = reduction.allReduce {
        try refuse("--all-reduce \(given)", "leave one of them out: codecs have their own sums")
      }
      if let given = reduction.bucketSize {
        try refuse("--bucket-size \(given)", "leave one of them out: codecs have their own sums")
      }
      if recipe.codecTakesMomentum {
        let optimizer = recipe.optimizer.rawValue
        if recipe.optimizer != .sgd {
          try refuse("--optimizer \(optimizer)", "give --optimizer sgd, whose momentum the codec applies")
        }
        if recipe.correctsMomentum {
          try refuse("--momentum-correction", "leave it out: the codec corrects momentum itself")
        }
      }
    }
    if recipe.method != .synchronous && !recipe.method.pushesGradients, let decay = recipe.averageDecay {
      throw invalid(
        "--average-parameters \(decay) with --method \(recipe.method.rawValue)",
        "leave one of them out: these methods evaluate a mean or a center of the shards' parameters")
    }
  }

  /// What asynchronous methods cannot have.
  private func checkServers(_ recipe: Recipe) throws {
    guard recipe.method.isAsynchronous else { return }
    func refuse(_ found: String, _ remedy: String) throws {
      throw invalid("\(found) with --method \(recipe.method.rawValue)", remedy)
    }
    if recipe.correctsMomentum { try refuse("--momentum-correction", "leave it out: pushes have rates of their own") }
    if let given = reduction.allReduce { try refuse("--all-reduce \(given)", "leave it out: nothing is summed") }
    if let given = reduction.bucketSize { try refuse("--bucket-size \(given)", "leave it out: nothing is summed") }
    if recipe.method.isGossip && recipe.servers > 1 {
      try refuse("--servers \(recipe.servers)", "give 1: it is a coordinator, who keeps no parameters")
    }
    guard recipe.method.pushesGradients else { return }
    // Each server knows a part of a gradient.
    if recipe.optimizer != .sgd && recipe.optimizer != .adagrad {
      try refuse("--optimizer \(recipe.optimizer.rawValue)", "give sgd or adagrad, which servers apply part by part")
    }
    if let norm = recipe.clipNorm {
      try refuse("--clip-norm \(norm)", "leave it out: no server has a whole gradient")
    }
    if let decay = recipe.averageDecay { try refuse("--average-parameters \(decay)", "leave one of them out") }
    if recipe.delayCompensation > 0 && recipe.fetchEvery > 1 {
      throw invalid(
        "--delay-compensation \(recipe.delayCompensation) with --fetch-every \(recipe.fetchEvery)",
        "leave one of them out: the server has to know the parameters that a gradient was computed at")
    }
    if recipe.delayCompensation > 0 && recipe.pushEvery > 1 {
      throw invalid(
        "--delay-compensation \(recipe.delayCompensation) with --push-every \(recipe.pushEvery)",
        "leave one of them out: gradients that are pushed together were computed at different parameters")
    }
    if recipe.method == .backupWorkers && recipe.servers > 1 {
      try refuse("--servers \(recipe.servers)", "give 1: one server decides which gradients came first")
    }
  }
}
