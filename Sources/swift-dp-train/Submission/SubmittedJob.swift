import Training

/// A job for a scheduler: what every scheduler is told, and what the trainer is.
struct SubmittedJob {
  var name = ""
  var nodes = 1
  var ranksPerNode = 1
  var threads = 1
  /// Of the time limit.
  var minutes = 60
  /// How ranks are started where the scheduler has a launcher of its own.
  var launcher = Launcher.srun
  /// Flags and their values of which the job tries all combinations, as an array.
  var sweep: [SweptFlag] = []
  /// Tasks of an array that run at once.
  var tasksAtOnce: Int?
  /// Further lines for the scheduler, without what they begin with.
  var directives: [String] = []
  /// Commands that stand in front of the start.
  var commands: [String] = []
  var program = "swift-dp-train"
  var image = "swift-dp-train:\(Version.text)"
  var volumeClaim = "runs"
  /// What follows the program's name, with what fixes the run's bits and its directory if the user did not.
  var arguments: [String] = []
  /// The command line that prints this script, as a comment whose further lines begin with #.
  var origin = ""

  var ranks: Int { nodes * ranksPerNode }

  /// As 04:00:00.
  var clock: String { twoDigits(minutes / 60) + ":" + twoDigits(minutes % 60) + ":00" }

  private func twoDigits(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
}

/// What starts the ranks of a Slurm job.
enum Launcher: String, CaseIterable {
  /// Slurm's own, which needs its PMIx plugin.
  case srun
  case mpirun
}

/// A flag of `train` and the values that a job array tries.
struct SweptFlag {
  var name: String
  var values: [String]

  /// Reads `learning-rate=0.1,0.2`.
  init(_ text: String) throws {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    name = parts[0].hasPrefix("--") ? String(parts[0].dropFirst(2)) : String(parts[0])
    values = parts.count == 2 ? parts[1].split(separator: ",").map(String.init) : []
    try check(
      !values.isEmpty && !name.isEmpty && name.allSatisfy { $0.isLetter || $0 == "-" || $0.isNumber },
      "--sweep \(text)", "give a flag of train and its values, as learning-rate=0.1,0.2")
  }

  /// A name for the shell.
  var variable: String { name.replacing("-", with: "_") }
}
