import Engine
import Foundation
import MPI
import Networks

/// A training run from its first line on the screen to its files: what the command `train` is, as a value.
public struct TrainingJob: Sendable {
  public var recipe: Recipe
  public var inputs = InputFiles()
  /// Nil for `runs/<model>-<date>-<time>`.
  public var runDirectory: String?
  public var resume = Resume.auto
  /// When states are saved, beside the end of each epoch.
  public var saveEvery = [SaveInterval(10, .minutes)]
  /// Checkpoints to keep, the newest; that of the best evaluation is kept beside them.
  public var keep = 2
  /// What may differ from the checkpoint that the run goes on from.
  public var allowedChanges = AllowedChanges()
  /// Seconds after which to save and end, as if a signal had asked for it.
  public var stopAfterSeconds: Double?
  /// Seconds of training, over all starts of the run, after which it is finished, if its steps are not before.
  public var secondsOfTraining: Double?
  /// Steps between reports.
  public var logEvery = 50
  /// Steps between evaluations within epochs, for the curve; those after epochs are not left out.
  public var evaluateEvery: Int?
  /// Steps between comparisons of all ranks' parameters, beside those at the start and after epochs.
  public var checkEvery: Int?
  /// Steps between records of the shards' gradients, which `replay` compares with.
  public var recordGradientsEvery: Int?
  /// Seconds without any progress that are a hang; 0 for no watchdog.
  public var watchdogSeconds = 60.0
  /// Real steps after which to stop, with nothing evaluated and nothing written.
  public var dryRun: Int?
  public var sharing = Sharing()
  /// Time that ranks lose on purpose.
  public var delay: InjectedDelay?
  /// In place of the recipe's model.
  public var network: Network?

  public enum Resume: Sendable, Hashable {
    /// The newest checkpoint of the run directory, or a new run where there is none.
    case auto
    /// A new run; an existing one is refused.
    case none
    /// A checkpoint directory.
    case checkpoint(String)
  }

  /// Changes that give the promise of equal bits up, and are said.
  public struct AllowedChanges: Sendable, Hashable {
    /// Of the recipe and the data set.
    public var settings = false
    /// Of the machine and the libraries.
    public var machines = false
    public init() {}
  }

  public init(_ recipe: Recipe) { self.recipe = recipe }

  /// Looks after a job that is about to start: from now on USR1 and TERM are the wish that it save and end, where it writes
  /// anything, and a rank that stops while MPI starts is found. Not collective; best before MPI starts.
  public static func prepare(writes: Bool, watchdogSeconds: Double) {
    if writes { StopRequest.listenForSchedulers() }
    PhaseLimit.begin(.start, watchdogSeconds: watchdogSeconds)
  }

  /// Looks after the end of a process whose last job is done: a rank that stops before MPI has ended is found. Not collective.
  public static func prepareToEnd(watchdogSeconds: Double) {
    PhaseLimit.begin(.end, watchdogSeconds: watchdogSeconds)
  }

  /// Runs the job. Collective.
  ///
  /// - Parameter observer: shows the run; asked on rank 0 only.
  /// - Returns: the exit code.
  public func run(_ world: Communicator, observer: any JobObserver) throws -> Int32 {
    let start = Date()
    let observer: (any JobObserver)? = world.rank == 0 ? observer : nil

    try checkEqual(on: world)
    let watchdog = try makeWatchdog(world, observer)
    PhaseLimit.lift()
    defer { watchdog?.stop() }
    let activity = watchdog?.activity ?? Activity()
    // Rank 0 holds the run directory; what it finds there decides for all.
    activity.enter(world.rank == 0 ? .opening : .waitingForFirst)
    let session = try world.agree {
      defer { activity.enter(.waitingForFirst) }
      return try world.rank == 0 && dryRun == nil ? RunSession(self) { activity.tick() } : nil
    }
    let path = try world.broadcast(session?.path ?? "")
    watchdog?.tell(directory: path, rank: world.rank)
    activity.enter(.connecting)
    try world.checkConnections()
    for warning in session?.warnings ?? [] { observer?.warning(warning) }
    let warned = session?.warnings.count ?? 0
    var found = [session?.finished == nil ? 0 : 1, session?.stored?.shards ?? 0, session?.stored?.threads ?? 0]
    try world.broadcast(&found)
    if found[0] == 1 {
      if let finished = session?.finished { observer?.alreadyFinished(finished, directory: session?.path ?? "") }
      return ExitCode.done.rawValue
    }
    var recipe = recipe
    recipe.shards = recipe.shards ?? (found[1] > 0 ? found[1] : nil)
    let threads = recipe.threadsPerShard ?? (found[2] > 0 ? found[2] : nil)
    let resources = try recipe.resources(on: world, shards: recipe.shards, threads: threads)
    try world.agree { try delay?.check(ranks: world.size - recipe.serverRanks) }
    recipe.shards = resources.shards
    recipe.threadsPerShard = resources.threadsPerShard
    try Fingerprint.ofThisMachine().checkEqual(on: world)

    observer?.phase("reading \(recipe.dataset.rawValue)")
    activity.enter(.readingData)
    let begin = Date()
    let data = try world.agree {
      defer { activity.enter(.exchanging) }
      return try TrainingData(recipe, directory: inputs.dataDirectory) { activity.tick(at: $0) }
    }
    let seconds = Date().timeIntervalSince(begin)
    try data.checkEqual(on: world)
    let network = try world.agree {
      try recipe.check(against: data)
      let network = self.network ?? data.network(recipe)
      if recipe.zeroesResiduals { try network.checkResidualBranches() }
      return network
    }
    recipe = recipe.withWarmup(stepsPerEpoch: data.plan(recipe).stepsPerEpoch)

    observer?.phase("planning kernels")
    activity.enter(.planning)
    let kernels = try recipe.planSource.resolve(on: world, stored: session?.storedPlan) {
      try .measured(Trainer.configuration(network: network, recipe: recipe, resources: resources, data: data))
    }
    let executor = try world.agree {
      try Trainer.makeExecutor(
        network: network, recipe: recipe, resources: resources, data: data, kernels: kernels.choice)
    }
    let trainer = try Trainer(
      world: world, recipe: recipe, resources: resources, data: data, executor: executor, sharing: sharing)
    activity.enter(.starting)
    trainer.activity = activity
    trainer.delay = delay
    try trainer.start { state in
      // What a run goes on from has taken the place of what it began with.
      if session?.checkpoint == nil { try state.readStart(inputs) }
      try session?.prepare(
        state, trainer, configuration: settings(recipe), plan: kernels.file
      ) { activity.tick() }
    }
    try world.agree {
      guard let session, session.checkpoint == nil, inputs.parameters != nil else { return }
      session.initialDigest = try trainer.state.parametersDigest().description
    }
    for warning in session?.warnings.dropFirst(warned) ?? [] { observer?.warning(warning) }
    observer?.banner(Banner(trainer, world, self, session, readSeconds: seconds))
    let log = makeLog(path, trainer, world)
    watchdog?.tell(WatchReport.Names(trainer))
    session?.writer.goesOn = { activity.tick() }
    session?.warn = { text in
      observer?.warning(text)
      log?.write("warning  \(text)")
    }
    session?.report = { report in
      observer?.event(.saved(report))
      log?.write(.saved(report))
    }

    var actions = Trainer.RunActions(logEvery: logEvery, evaluates: dryRun == nil)
    actions.stopAfter = dryRun.map { trainer.state.position.step + $0 }
    actions.secondsOfTraining = secondsOfTraining
    actions.progress = try RunSession.progress(session, trainer, world)
    actions.evaluateEvery = evaluateEvery
    actions.checkEvery = checkEvery
    actions.recordGradientsEvery = recordGradientsEvery
    actions.savesByNumber = { [saveEvery] step in
      saveEvery.contains { $0.isDue(afterStep: step, epoch: nil, seconds: 0) }
    }
    actions.wantsToSave = { step, epoch in try session?.isSaveDue(afterStep: step, epoch: epoch) ?? false }
    actions.save = { end in try RunSession.beginToSave(session, trainer, end) }
    actions.stop = { end in try RunSession.save(session, trainer, end, world) }
    if dryRun == nil {
      StopRequest.listen()
      let deadline = stopAfterSeconds.map { start.addingTimeInterval($0) } ?? .distantFuture
      trainer.wantsToStop = { StopRequest.received != 0 || Date() > deadline }
    }
    let summary: RunSummary?
    do {
      summary = try trainer.run(actions) { event in
        if case .finished = event { try session?.drain() }
        observer?.event(event)
        log?.write(event)
        session?.record(event)
      }
    } catch {
      // What is being written is finished.
      try? session?.drain()
      log?.write("error  \(TrainingError(error))")
      throw error
    }
    activity.enter(.finishing)
    guard let summary else {
      log?.write("saved  asked to stop after step \(trainer.state.position.step)")
      observer?.saved(step: trainer.state.position.step, directory: session?.path ?? "")
      return ExitCode.savedOnRequest.rawValue
    }
    activity.enter(world.rank == 0 ? .finishing : .waitingForFirst)
    try world.agree { try session?.finish(trainer, summary, world) }
    observer?.done(summary, directory: session?.path)
    return ExitCode.done.rawValue
  }

  /// What `config.yaml` holds. A model of one's own has no name that `--model` knows, but its own.
  private func settings(_ recipe: Recipe) -> [(key: String, value: String?)] {
    recipe.settings(inputs).map { key, value in (key, key == "model" ? network?.name ?? value : value) }
  }

  /// Collective.
  private func makeWatchdog(_ world: Communicator, _ observer: (any JobObserver)?) throws -> Watchdog? {
    guard watchdogSeconds > 0 else { return nil }
    /// What it says it may say from another thread.
    struct Shown: @unchecked Sendable { let observer: (any JobObserver)? }
    let shown = Shown(observer: observer)
    var voice = Watchdog.Voice()
    voice.error = { failure in
      if let observer = shown.observer { observer.failure(failure) } else { failure.print() }
    }
    voice.signOfLife = { shown.observer?.signOfLife($0) }
    return try Watchdog(world, limit: watchdogSeconds, voice: voice)
  }

  /// This rank's log, where it can write one.
  private func makeLog(_ path: String, _ trainer: Trainer, _ world: Communicator) -> RankLog? {
    guard !path.isEmpty, let log = RankLog(path, rank: world.rank) else { return nil }
    let shards = trainer.resources.placement.shards(of: world.rank).map(String.init).joined(separator: ", ")
    log.write(
      "rank \(world.rank) of \(world.size) on \(MPILibrary.processorName), process \(getpid()), shards \(shards), "
        + "\(count(trainer.recipe.threadsPerShard ?? 1, "thread")) each, from step \(grouped(trainer.state.position.step))"
    )
    return log
  }
}

/// Shows a run. Called on rank 0, in this order.
public protocol JobObserver: AnyObject {
  /// What is about to be done and may take a moment.
  func phase(_ name: String)
  /// Something the user should know; the run goes on.
  func warning(_ text: String)
  func banner(_ banner: Banner)
  func event(_ event: TrainingEvent)
  /// - Parameter directory: nil where nothing was written.
  func done(_ summary: RunSummary, directory: String?)
  /// In place of `done`: the state was saved because a signal asked for it.
  func saved(step: Int, directory: String)
  /// The watchdog ends the job. Called from another thread, whatever the first does.
  func failure(_ failure: JobFailure)
  /// What the slowest rank does. Called about every second from another thread; to be shown where nothing else was for long.
  func signOfLife(_ text: String)
  /// In place of all else: the run directory holds a finished run.
  func alreadyFinished(_ summary: SummaryFile, directory: String)
}

extension JobObserver {
  public func failure(_ failure: JobFailure) { failure.print() }
  public func signOfLife(_ text: String) {}
}

extension WatchReport.Names {
  /// Of a trainer's instructions and buckets.
  init(_ trainer: Trainer) {
    layers = trainer.executor.instructionNames
    let entries = trainer.state.layout.entries
    buckets = trainer.reducer.buckets.map { bucket in
      let names = entries.filter { bucket.contains($0.range.lowerBound) }.map(\.parameter.name)
      guard let first = names.first, let last = names.last else { return "empty" }
      return first == last ? first : "\(first) … \(last)"
    }
  }
}

extension Recipe {
  /// What only the data can tell to be impossible.
  func check(against data: TrainingData) throws {
    let extents = data.extents
    guard model.takes(extents) else {
      throw TrainingError(
        .badConfiguration,
        "--model \(model.rawValue) needs \(model.wantedImages); \(data.name) has \(extents). "
          + "Choose mlp, or another data set.")
    }
    guard data.train.count > 0, data.plan(self).stepsPerEpoch > 0 else {
      throw TrainingError(
        .badConfiguration,
        "--batch-size \(batchSize) with --drop-last leaves no step of \(data.train.count) samples; lower it.")
    }
    // A schedule that cannot be meant is found before kernels are planned.
    _ = try classifying { try learningRates(stepsPerEpoch: data.plan(self).stepsPerEpoch) }
  }
}
