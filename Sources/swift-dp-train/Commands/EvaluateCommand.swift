import ArgumentParser
import Foundation
import MPI
import Training

struct EvaluateCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Evaluate the parameters of a run or of a checkpoint.",
    discussion: """
      The settings are those of the run. On the same kind of machine the numbers are exactly those that the run printed, \
      on any number of ranks.
      """)

  @Option(name: .customLong("run"), help: "Directory of a finished run: its final parameters. This or --checkpoint.")
  var runDirectory: String?
  @Flag(help: "With --run: the parameters of its best evaluation.") var best = false
  @Option(help: "Directory of a checkpoint.") var checkpoint: String?
  @Option(help: "Where the data set's files are now (default: where the run found them).") var dataDir: String?
  @Flag(name: .customLong("json"), help: "Print the result as JSON.") var printsJSON = false

  func validate() throws {
    if (runDirectory == nil) == (checkpoint == nil) {
      throw TrainingError(.badConfiguration, "evaluate needs --run or --checkpoint, one of them.")
    }
    if best && runDirectory == nil { throw invalid("--best without --run", "name the directory of the run") }
  }

  func run(_ world: Communicator) throws -> Int32 {
    // The run's directory need not be seen by other hosts.
    let stored = try world.agree { try world.rank == 0 ? readStored() : nil }
    let text = try world.broadcast(stored?.configuration ?? "")
    let path = try world.broadcast(stored?.configurationPath ?? "")
    let job = try world.agree { try makeJob(text, path) }
    let report = try job.run(world, stored)
    try world.agree {
      guard world.rank == 0 else { return }
      let here = Fingerprint.ofThisMachine().description
      if let there = stored?.fingerprint, there != here {
        let note = "note: computed by \(there); here with \(here): the loss may differ in its last digits\n"
        FileHandle.standardError.write(Data(note.utf8))
      }
      show(printsJSON ? [try json(report)] : lines(report))
    }
    return ExitCode.done.rawValue
  }

  private func readStored() throws -> StoredRun {
    if let checkpoint { return try StoredRun(checkpoint: checkpoint) }
    return try StoredRun(run: runDirectory ?? "", best: best)
  }

  private func makeJob(_ text: String, _ path: String) throws -> EvaluationJob {
    let settings = try Settings(RecipeOptions(ConfigurationFile(text: text, path: path)))
    return EvaluationJob(settings.recipe, dataDirectory: dataDir ?? settings.inputs.dataDirectory)
  }

  private func lines(_ report: EvaluationJob.Report) -> [String] {
    var facts = Facts()
    facts.add("parameters", report.path)
    facts.add("data", "\(report.dataset), \(grouped(report.total)) \(report.set)")
    facts.add(
      "accuracy",
      "\(decimal(100 * report.accuracy, 2))% (\(grouped(report.correct)) of \(grouped(report.total)))")
    facts.add("loss", "\(report.loss)")
    return facts.lines
  }
}
