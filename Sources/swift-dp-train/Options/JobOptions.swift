import ArgumentParser
import Training

/// Where a run writes, where it starts and what it shows. None of this changes a bit.
struct JobOptions: ParsableArguments {
  @Option(help: "Directory of the run (default: runs/<model>-<date>-<time>).") var runDir: String?
  @Option(help: "Global steps between checkpoints (default: only at the end of each epoch).") var saveEvery: Int?
  @Option(help: "auto: go on from the newest checkpoint of --run-dir; none: refuse an existing run; or a checkpoint.")
  var resume = "auto"
  @Option(name: .customLong("init"), help: "Start from the parameters of a safetensors file.") var initial: String?
  @Option(help: "Layers whose parameters --init leaves at their start, as fc2 or fc1,fc2.") var initSkip: String?
  @Option(help: "Read settings from a YAML file; flags override it.") var config: String?
  @Option(help: "Steps between reports.") var logEvery = 50
  @Option(help: "Take N real steps, evaluate nothing and write nothing.") var dryRun: Int?
  @Flag(name: .customLong("no-progress"), help: "No progress bar, also on a terminal.") var hidesProgress = false

  func validate() throws {
    if let saveEvery { try check(saveEvery > 0, "--save-every \(saveEvery)", "give at least 1 step") }
    try check(logEvery > 0, "--log-every \(logEvery)", "give at least 1 step")
    if let dryRun { try check(dryRun > 0, "--dry-run \(dryRun)", "give at least 1 step") }
    if initSkip != nil && initial == nil {
      throw invalid("--init-skip without --init", "name the file that the other parameters come from")
    }
  }

  var skippedLayers: [String] { initSkip?.split(separator: ",").map(String.init) ?? [] }
}
