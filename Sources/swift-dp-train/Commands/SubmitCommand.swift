import ArgumentParser
import Foundation
import Training

struct SubmitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Print the script with which a scheduler runs a training.",
    discussion: """
      The script saves and goes on where the scheduler ends it, as far as the scheduler allows that. Arguments of train \
      follow after --:

        swift-dp-train submit slurm --print --nodes 2 --time 4h -- --model cnn >cnn.sbatch
        sbatch cnn.sbatch

      Shards are as many as ranks, less those that are servers, and their threads --threads, unless the arguments or the file \
      of --config say otherwise.
      """)

  @Argument(help: "slurm, pbs, lsf or k8s.") var scheduler: String
  @Flag(help: "Needed: prints the script, which you then give to sbatch, qsub or the like.") var print = false
  @Option(help: "Name of the job and of its run's directory (default: the model's).") var name: String?
  @Option(help: "Nodes, or workers of Kubernetes.") var nodes = 1
  @Option(help: "Ranks of each node.") var ranksPerNode = 1
  @Option(help: "Cores of each rank: the threads of its shard.") var threads = 1
  @Option(help: "Time limit, as 4h, 90m or 3h50m.") var time = "1h"
  @Option(help: "Slurm: srun, which needs its PMIx plugin, or mpirun.") var launcher = "srun"
  @Option(help: "Slurm: values that an array of jobs tries, as learning-rate=0.1,0.2; with several, all combinations.")
  var sweep: [String] = []
  @Option(help: "Slurm: jobs of the array that run at once.") var atOnce: Int?
  @Option(help: "Kubernetes: image of launcher and workers (default: swift-dp-train and the version).")
  var image: String?
  @Option(help: "Kubernetes: volume claim that holds the runs.") var volumeClaim = "runs"
  @Option(help: "A further line for the scheduler, as --directive=--partition=long; may be repeated.")
  var directive: [String] = []
  @Option(help: "A command in front of the start, as 'module load openmpi'; may be repeated.") var before: [String] = []
  @Option(help: "The trainer on the nodes.") var program = "swift-dp-train"
  @Argument(parsing: .postTerminator, help: "Arguments of train.") var arguments: [String] = []

  func validate() throws {
    try checkCount(nodes, "--nodes", to: 100_000)
    try checkCount(ranksPerNode, "--ranks-per-node", to: 10_000)
    try check((1...1024).contains(threads), "--threads \(threads)", "give 1 to 1024")
    if let atOnce {
      try check(atOnce > 0, "--at-once \(atOnce)", "give at least 1")
      try check(!sweep.isEmpty, "--at-once without --sweep", "give the values that the array tries")
    }
    if let name {
      let isName =
        name.first?.isLetter == true
        && name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") } && name.last != "-"
      try check(isName, "--name \(name)", "give small letters, digits and dashes, a letter first")
    }
    // Each stands on one line of the script, and all of them in a comment.
    for text in CommandLine.arguments {
      try check(!text.contains { $0.isNewline }, "a line break in an argument", "repeat --before for each command")
    }
  }

  func run() throws {
    guard print else {
      throw TrainingError(
        .badConfiguration, "submit needs --print: it prints the script, which then goes to sbatch, qsub or the like.")
    }
    let scheduler: Scheduler = try known(scheduler, flag: "submit")
    if scheduler != .slurm {
      try check(sweep.isEmpty, "--sweep with \(scheduler.rawValue)", "it is for slurm; submit a job for each value")
    }
    Swift.print(scheduler.script(try job(scheduler)), terminator: "")
  }

  private func job(_ scheduler: Scheduler) throws -> SubmittedJob {
    var job = SubmittedJob()
    (job.nodes, job.ranksPerNode, job.threads) = (nodes, ranksPerNode, threads)
    guard let minutes = minutes(parsing: time), (1..<60_000).contains(minutes) else {
      throw invalid("--time \(time)", "give it as 4h, 90m or 3h50m")
    }
    job.minutes = minutes
    job.launcher = try known(launcher, flag: "--launcher")
    job.sweep = try sweep.map(SweptFlag.init)
    (job.tasksAtOnce, job.directives, job.commands, job.program) = (atOnce, directive, before, program)
    if let image { job.image = image }
    job.volumeClaim = volumeClaim
    job.origin = ShellText.command(
      (["swift-dp-train"] + CommandLine.arguments.dropFirst()).map(ShellText.word)
    ).replacing("\n", with: "\n# ")
    let recipe: Recipe
    (job.arguments, recipe) = try trainArguments(job)
    job.name = name ?? recipe.model.rawValue
    return job
  }

  /// What train gets, and the recipe that it makes of that, or the first of a sweep: an error in it is found here, not after a wait
  /// in a queue.
  private func trainArguments(_ job: SubmittedJob) throws -> ([String], Recipe) {
    let given = arguments.first == "train" ? Array(arguments.dropFirst()) : arguments
    let options = try trainOptions(given)
    if options.jobOptions.runDir != nil {
      throw invalid("--run-dir among the arguments of train", "the script names it by the job, so that it can go on")
    }
    let recipes = try SlurmSweep(job: job).combinations.map { try recipe(of: trainOptions(given + $0)) }
    // Ranks that are servers have no shard.
    let servers = Set(recipes.map(\.serverRanks))
    // Written down, so that the bits do not depend on what the scheduler gives.
    var fixed: [String] = []
    if recipes.contains(where: { $0.shards == nil }) {
      guard servers.count == 1, let servers = servers.first else {
        throw invalid(
          "a sweep of methods with and without servers", "they have different numbers of shards: submit them apart")
      }
      try check(
        servers < job.ranks, "\(count(servers, "server")) of \(count(job.ranks, "rank"))",
        "give more ranks than servers")
      fixed += ["--shards", "\(job.ranks - servers)"]
    }
    if recipes.contains(where: { $0.threadsPerShard == nil }) { fixed += ["--threads-per-shard", "\(threads)"] }
    return (given + fixed, recipes[0])
  }

  private func recipe(of options: TrainOptions) throws -> Recipe {
    // The volume of a container may have the file where this machine has none.
    if scheduler == Scheduler.k8s.rawValue, let file = options.jobOptions.config,
      !FileManager.default.fileExists(atPath: file)
    {
      let recipe = try Settings(options.recipeOptions).recipe
      try check(
        recipe.shards != nil && recipe.threadsPerShard != nil, "--config \(file), which is not here",
        "give --shards and --threads-per-shard among the arguments of train, or a copy of the file")
      return recipe
    }
    return try options.job().recipe
  }

  private func trainOptions(_ arguments: [String]) throws -> TrainOptions {
    do { return try TrainOptions.parse(Job.joiningNegativeNumbers(arguments)) } catch {
      throw TrainingError(.badConfiguration, Job.sentence(TrainOptions.fullMessage(for: error)))
    }
  }
}

/// The schedulers that scripts are made for.
enum Scheduler: String, CaseIterable {
  case slurm
  case pbs
  case lsf
  case k8s

  func script(_ job: SubmittedJob) -> String {
    switch self {
    case .slurm: SlurmScript(job: job).text
    case .pbs: PBSScript(job: job).text
    case .lsf: LSFScript(job: job).text
    case .k8s: KubernetesJob(job: job).text
    }
  }
}
