import ArgumentParser
import MPI
import Training

struct ReplayCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Compute the gradients of a recorded step again and compare the bits.",
    discussion: """
      Of a run that was trained with --record-gradients. It goes on from the newest checkpoint before the step, or from the \
      start, on any number of ranks; one is enough, under a debugger if need be. Exit code 0 if all gradients have the \
      bits that the run recorded, 1 if one has not: then a processor or a memory computes wrongly.
      """)

  @Option(name: .customLong("run"), help: "Directory of the run.") var runDirectory: String
  @Option(help: "The step, from 1.") var step: Int
  @Option(help: "Where the data set's files are now (default: where the run found them).") var dataDir: String?

  func validate() throws { try check(step > 0, "--step \(step)", "give at least 1") }

  func run(_ world: Communicator) throws -> Int32 {
    // The run's directory need not be seen by other hosts.
    let stored = try world.agree { try world.rank == 0 ? StoredRun.configuration(ofRun: runDirectory) : nil }
    let text = try world.broadcast(stored?.text ?? "")
    let path = try world.broadcast(stored?.path ?? "")
    let job = try world.agree {
      let settings = try Settings(RecipeOptions(ConfigurationFile(text: text, path: path)))
      var inputs = settings.inputs
      inputs.dataDirectory = dataDir ?? inputs.dataDirectory
      return ReplayJob(settings.recipe, inputs, runDirectory: runDirectory, step: step)
    }
    let report = try job.run(world)
    let differing = try world.agree { world.rank == 0 ? report.differingShards : [] }
    let code = try world.broadcast(differing.isEmpty ? "0" : "1")
    try world.agree {
      guard world.rank == 0 else { return }
      show(
        report.recorded.indices.map { shard in
          let (recorded, computed) = (report.recorded[shard].prefix(16), report.computed[shard].prefix(16))
          return "shard \(shard)  "
            + (recorded == computed ? "equal    \(computed)" : "differs  \(computed), was \(recorded)")
        } + ["step \(grouped(step)), computed again from step \(grouped(report.start))"])
    }
    return code == "0" ? 0 : 1
  }
}
