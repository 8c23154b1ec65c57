import ArgumentParser
import Collectives
import Training

/// All that `train` takes, and what it makes of it.
struct TrainOptions: ParsableArguments {
  @OptionGroup var recipeOptions: RecipeOptions
  @OptionGroup(title: "Ranks of a node") var sharing: SharingOptions
  @OptionGroup(title: "Job") var jobOptions: JobOptions

  /// The job that the options describe, over those of the configuration file, if one is named.
  func job() throws -> TrainingJob {
    let settings = try settings()
    // What the command line gives must have an effect; a file may hold settings for other uses.
    try recipeOptions.checkUse(in: settings.recipe)
    var job = TrainingJob(settings.recipe)
    job.inputs = settings.inputs
    job.runDirectory = jobOptions.runDir
    job.resume =
      switch jobOptions.resume {
      case "auto": .auto
      case "none": .none
      default: .checkpoint(jobOptions.resume)
      }
    job.saveEvery = try jobOptions.saveIntervals()
    job.keep = jobOptions.keep
    job.checkEvery = jobOptions.checkEvery
    job.recordGradientsEvery = jobOptions.recordGradients
    job.watchdogSeconds = jobOptions.watchdog
    job.stopAfterSeconds = try jobOptions.stopAfterSeconds()
    job.allowedChanges.settings = jobOptions.allowsChanges
    job.allowedChanges.machines = jobOptions.allowsMixed
    job.logEvery = jobOptions.logEvery
    job.evaluateEvery = jobOptions.evaluateEvery
    job.dryRun = jobOptions.dryRun
    job.sharing = try sharing.sharing()
    job.delay = try jobOptions.lostTime()
    if job.recipe.method.isAsynchronous {
      let setting = "--method \(job.recipe.method.rawValue)"
      for (value, flag) in [
        (sharing.transport, "--transport"), (sharing.update, "--update"), (sharing.overlap, "--overlap"),
      ] {
        if let value { throw invalid("\(flag) \(value) with \(setting)", "leave it out: servers get messages") }
      }
      if let every = jobOptions.recordGradients {
        throw invalid("--record-gradients \(every) with \(setting)", "leave it out: no gradient can be replayed")
      }
    }
    try checkUse(in: job)
    return job
  }

  /// Refuses what is given here but would not act.
  private func checkUse(in job: TrainingJob) throws {
    let recipe = job.recipe
    let native: AllReduceAlgorithm = .native
    if let transport = sharing.transport, job.sharing.transport == .sharedMemory, recipe.allReduce == native {
      throw invalid("--transport \(transport) with --all-reduce native", "leave one of them out: MPI has its own")
    }
    if let overlap = sharing.overlap, job.sharing.overlap == .on {
      let whole =
        recipe.allReduce == native
        ? "--all-reduce native"
        : recipe.compression != .none
          ? "--compress \(recipe.compression)"
          : recipe.method != .synchronous ? "--method \(recipe.method.rawValue)" : nil
      if let whole {
        throw invalid("--overlap \(overlap) with \(whole)", "leave it out: nothing is summed beside the backward pass")
      }
    }
    if let steps = job.dryRun, case .checkpoint(let path) = job.resume {
      throw invalid("--resume \(path) with --dry-run \(steps)", "leave one of them out: dry runs start anew")
    }
  }

  private func settings() throws -> Settings {
    guard let path = jobOptions.config else { return try Settings(recipeOptions) }
    let file = try RecipeOptions(ConfigurationFile(path: path))
    do { _ = try Settings(file) } catch let error as TrainingError {
      throw TrainingError(error.code, "\(path): \(error.description)")
    }
    return try Settings(file, recipeOptions)
  }
}

extension RecipeOptions {
  /// The options of a configuration file.
  init(_ file: ConfigurationFile) throws { try self.init(file.arguments, place: file.path) }

  /// - Parameter place: where the arguments stand, for errors.
  init(_ arguments: [String], place: String) throws {
    do { self = try RecipeOptions.parse(arguments) } catch {
      throw TrainingError(.badConfiguration, "\(place): \(Job.sentence(RecipeOptions.fullMessage(for: error)))")
    }
  }
}
