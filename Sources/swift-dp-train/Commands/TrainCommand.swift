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

  @OptionGroup var options: TrainOptions

  func prepare() {
    TrainingJob.prepare(writes: options.jobOptions.dryRun == nil, watchdogSeconds: options.jobOptions.watchdog)
  }

  func run(_ world: Communicator) throws -> Int32 {
    let job = try world.agree { try options.job() }
    defer { TrainingJob.prepareToEnd(watchdogSeconds: job.watchdogSeconds) }
    return try job.run(world, observer: Console(hidesProgress: options.jobOptions.hidesProgress))
  }
}
