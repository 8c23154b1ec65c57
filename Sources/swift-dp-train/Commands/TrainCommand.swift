import ArgumentParser
import MPI
import Training

struct TrainCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a model.",
    discussion: """
      The batch size is that of the whole job: it and the result stay the same on any number of ranks. The run's \
      directory holds its settings, events, checkpoints and final parameters; started again with the same --run-dir, \
      the run goes on from its newest checkpoint.
      """)

  @OptionGroup var recipeOptions: RecipeOptions
  @OptionGroup(title: "Job") var jobOptions: JobOptions

  func run(_ world: Communicator) throws -> Int32 {
    let job = try world.agree { try merged().job() }
    return try job.run(world, observer: Console(hidesProgress: jobOptions.hidesProgress))
  }

  /// These options over those of the configuration file, if one is named.
  private func merged() throws -> TrainCommand {
    guard let path = jobOptions.config else {
      try recipeOptions.checkUse(in: recipeOptions.recipe())
      return self
    }
    let file = try ConfigurationFile(path: path)
    var fileOptions: RecipeOptions
    do { fileOptions = try RecipeOptions.parse(file.arguments) } catch {
      throw TrainingError(.badConfiguration, "\(path): \(Job.sentence(RecipeOptions.fullMessage(for: error)))")
    }
    do { _ = try fileOptions.recipe() } catch let error as TrainingError {
      throw TrainingError(error.code, "\(path): \(error.description)")
    }
    fileOptions.override(with: recipeOptions)
    var result = self
    result.recipeOptions = fileOptions
    try recipeOptions.checkUse(in: fileOptions.recipe())
    return result
  }

  private func job() throws -> TrainingJob {
    var job = TrainingJob(try recipeOptions.recipe())
    job.dataDirectory = recipeOptions.data.dataDir
    job.runDirectory = jobOptions.runDir
    job.resume =
      switch jobOptions.resume {
      case "auto": .auto
      case "none": .none
      default: .checkpoint(jobOptions.resume)
      }
    job.saveEvery = jobOptions.saveEvery
    job.initialParameters = jobOptions.initial
    job.skippedLayers = jobOptions.skippedLayers
    job.logEvery = jobOptions.logEvery
    job.dryRun = jobOptions.dryRun
    return job
  }
}
