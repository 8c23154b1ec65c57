import ArgumentParser
import MPI
import Training

struct CheckCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Find out whether a run can start, without training.",
    discussion: """
      Takes what train takes, on the same ranks, and checks the settings, the data, how batches and shards are cut, the \
      memory, the run directory and whether all ranks can be reached. Nothing is written.
      """)

  @OptionGroup var options: TrainOptions

  func run(_ world: Communicator) throws -> Int32 {
    let job = try world.agree { try options.job() }
    let check = try RunCheck(job, world)
    try world.agree {
      guard world.rank == 0 else { return }
      show(lines(check))
    }
    // What is known of the machine decides on all ranks alike.
    if !check.fits {
      let need = size(check.ranksOnNode * check.memory.rank(of: check.ranks, ranksOnNode: check.ranksOnNode).total)
      let remedy =
        check.fewestRanks.map { "start \($0) ranks on more hosts, at most \(check.ranksOnNode) on each" }
        ?? "raise --shards and use more hosts, or lower --batch-size"
      try world.agree {
        throw TrainingError(
          .badConfiguration,
          "the ranks of a host need \(need) where \(size(check.usableMemory)) can be used; \(remedy).")
      }
    }
    return ExitCode.done.rawValue
  }

  private func lines(_ check: RunCheck) -> [String] {
    let (recipe, resources, plan, data) = (check.recipe, check.resources, check.plan, check.data)
    var facts = Facts()
    let length = count(check.totalSteps, "step")
    facts.add("settings", "\(recipe.model.rawValue) on \(data.name) · seed \(recipe.seed) · \(length)")
    facts.add(
      "ranks",
      "\(grouped(check.ranks)) on \(count(resources.hosts, "host")) · \(count(resources.shards, "shard")), "
        + "\(count(resources.threadsPerShard, "thread")) each")
    facts.add("reach", reach(check))
    facts.add(
      "data",
      "\(data.name) · \(grouped(data.train)) train, \(grouped(data.evaluation)) "
        + "\(data.evaluatesHeldOut ? "held out" : "test") · \(data.shape), \(grouped(data.classes)) classes · digest "
        + "\(hexadecimal(data.digest)) · read in \(decimal(data.seconds, 1)) s")

    let sizes = plan.shardBatchSizes(of: resources.shards)
    let last = plan.positions(step: plan.stepsPerEpoch - 1).count
    facts.add(
      "batch",
      [
        "\(grouped(recipe.batchSize)) global · \(count(plan.stepsPerEpoch, "step")) per epoch"
          + (last == recipe.batchSize ? "" : ", the last of \(grouped(last)) samples, weighted"),
        "a shard takes \(list(sizes)) samples of a batch · kernels for \(list(check.programSizes)) at once",
      ])
    facts.add("shards", shards(check))
    facts.add("memory", memory(check))
    facts.add("run", run(check))
    facts.add("ok", check.fits ? "this run can start" : "no: the memory is not enough")
    return facts.lines
  }

  private func list(_ numbers: [Int]) -> String {
    let texts = numbers.map { grouped($0) }
    return texts.count < 2 ? texts.joined() : texts.dropLast().joined(separator: ", ") + " or " + (texts.last ?? "")
  }

  private func reach(_ check: RunCheck) -> String {
    if check.ranks == 1 { return "one rank, nobody else to reach" }
    return "all ranks answer · barrier \(decimal(1e6 * check.barrierSeconds, 0)) µs · sum of 4 MiB "
      + "\(decimal(1e3 * check.allReduceSeconds, 2)) ms"
  }

  private func shards(_ check: RunCheck) -> [String] {
    let left = check.leftOut == 0 ? "" : ", \(grouped(check.leftOut)) are left out by --drop-last"
    let found = grouped(check.data.train - check.leftOut)
    return ["disjoint: \(found) samples of the first epoch, each in one shard once\(left)"]
      + check.firstSamples.enumerated().map { shard, ids in
        "shard \(shard) begins with " + (ids.isEmpty ? "none" : ids.map { "\($0)" }.joined(separator: " "))
      }
  }

  private func memory(_ check: RunCheck) -> [String] {
    let rank = check.memory.rank(of: check.ranks, ranksOnNode: check.ranksOnNode)
    let parts =
      [
        ("parameters", rank.parameters), ("optimizer", rank.optimizer), ("gradients", rank.gradients),
        ("sum", rank.sum),
        ("arenas", rank.arenas), ("batches", rank.batches), ("data", rank.data), ("checkpoint", rank.checkpoint),
      ] + (rank.method > 0 ? [("method", rank.method)] : []) + [("a rank", rank.total)]
    let width = parts.map { size($0.1).count }.max() ?? 0
    let fewest =
      check.fewestRanks.map { "the smallest number of ranks that fits is \(grouped($0))" } ?? "no number of ranks fits"
    return parts.map { padded($0.0, 10) + "  " + leading(size($0.1), width) } + [
      "\(size(check.ranksOnNode * rank.total)) for the \(count(check.ranksOnNode, "rank")) of a host, which has "
        + "\(size(check.usableMemory)) · \(fewest), with up to \(check.ranksOnNode) on a host"
    ]
  }

  private func run(_ check: RunCheck) -> String {
    switch check.existing {
    case .nothing: "\(check.runDirectory) can be written"
    case .finishedRun: "\(check.runDirectory) holds a finished run: train would show its result and do nothing"
    case .run(let checkpoint?): "\(check.runDirectory) holds a run: train would go on from \(checkpoint)"
    case .run(nil): "\(check.runDirectory) holds a run without a checkpoint: train would start it anew"
    }
  }
}
