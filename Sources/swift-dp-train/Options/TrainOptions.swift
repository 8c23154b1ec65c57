import ArgumentParser
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
    job.dataDirectory = settings.dataDirectory
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
    job.initialParameters = jobOptions.initial
    job.skippedLayers = jobOptions.skippedLayers
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
    return job
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
