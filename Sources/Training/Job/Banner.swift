import Collectives
import Engine
import Foundation
import MPI
import TensorFiles

/// What a run is, in lines that answer what people ask about their runs.
public struct Banner: Sendable {
  /// Headings and texts; the first has no heading.
  public let lines: [(heading: String, text: String)]
  /// Whether the learning rate is another than the one that was given.
  let scalesRate: Bool

  init(_ trainer: Trainer, _ world: Communicator, _ job: TrainingJob, _ session: RunSession?, readSeconds: Double) {
    let recipe = trainer.recipe
    scalesRate = recipe.learningRateScaling != .none
    let resources = trainer.resources
    let parameters = trainer.executor.parameterLayout.entries.filter(\.parameter.isTrainable)
      .reduce(0) { $0 + $1.parameter.count }
    let plan = trainer.plan
    let fingerprint = Fingerprint.ofThisMachine()
    let total = trainer.totalSteps
    var lines: [(String, String)] = []
    let place = session.map { "run \($0.path)" } ?? "dry run, nothing is written"
    lines.append(("", "swift-dp-train \(Version.text) · \(place) · seed \(recipe.seed)"))
    let launcher =
      LaunchEnvironment.current.size > 1 || world.size > 1 ? Banner.library() : "no launcher"
    lines.append(
      (
        "ranks",
        "\(world.size) on \(count(resources.hosts, "host")) (\(MPILibrary.processorName)) · "
          + "\(count(resources.shards, "shard")), \(count(resources.threadsPerShard, "thread")) each · \(launcher)"
      ))
    lines.append(
      (
        "model",
        "\(trainer.network.name) · \(grouped(parameters)) parameters (\(mebibytes(4 * parameters))) · "
          + (job.inputs.parameters.map { "from \($0) · " } ?? "")
          + (recipe.zeroesResiduals ? "residual branches start at zero · " : "")
          + "\(recipe.precision.rawValue)\(recipe.precision.isNative ? "" : " emulated, slow on this processor") · "
          + "oneDNN \(fingerprint["oneDNN"]) \(fingerprint["oneDNN instruction set"]) · plan \(trainer.planDigest)"
      ))
    let kept = trainer.data.evaluatesHeldOut ? "held out" : "test"
    lines.append(
      (
        "data",
        "\(trainer.data.name) · \(grouped(trainer.data.train.count)) train, \(grouped(trainer.data.evaluation.count)) \(kept) · "
          + "every sample once per epoch · read in \(String(format: "%.1f", readSeconds)) s"
      ))
    let last = plan.positions(step: plan.stepsPerEpoch - 1).count
    let share =
      recipe.batchSize % resources.shards == 0
      ? "\(recipe.batchSize / resources.shards)"
      : "\(recipe.batchSize / resources.shards)–\(recipe.batchSize / resources.shards + 1)"
    lines.append(
      (
        "batch",
        "\(recipe.batchSize) global = \(share) per shard × \(count(resources.shards, "shard")) · "
          + "\(grouped(plan.stepsPerEpoch)) steps per epoch"
          + (last == recipe.batchSize ? "" : " (the last has \(last) samples, weighted)")
          + (recipe.microBatchSize.map { " · at most \(grouped($0)) at once" } ?? "")
      ))
    lines.append(("rate", Banner.rate(recipe, warmupSteps: trainer.learningRates.warmupSteps)))
    let buckets = trainer.reducer.buckets
    if let method = recipe.methodText(shards: resources.shards, stepsPerEpoch: plan.stepsPerEpoch) {
      lines.append(("train", method))
    }
    if !trainer.method.text.isEmpty {
      lines.append(("sum", trainer.method.text))
    } else {
      lines.append(
        (
          "sum",
          "\(recipe.allReduce.rawValue)\(Banner.choice(trainer.reducer))\(trainer.transport) · \(count(buckets.count, "bucket")), "
            + "\(mebibytes(4 * trainer.executor.parameterLayout.count))"
            + (recipe.allReduce.caveat == nil ? "" : " · bits may depend on the number of ranks")
        ))
    }
    if session != nil {
      let when = job.saveEvery.map { $0.text + ", " }.joined()
      let from = session?.resumedFrom.map { " · going on from \($0)" } ?? ""
      lines.append(("save", "\(when)after each epoch, on USR1 and TERM\(from)"))
    }
    let done = trainer.state.position.step
    let epochs = String(format: "%g", (Double(total) / Double(plan.stepsPerEpoch) * 100).rounded() / 100)
    lines.append(
      (
        "plan",
        "\(epochs) epoch\(epochs == "1" ? "" : "s") = \(grouped(total)) steps"
          + (done > 0 ? ", \(grouped(done)) done" : "")
      ))
    self.lines = lines.map { (heading: $0.0, text: $0.1) }
  }

  /// What `auto` chose, as " (2 halving-doubling, 1 ring)".
  private static func choice(_ reducer: GradientReducer) -> String {
    guard reducer.algorithm == .auto else { return "" }
    var counts: [(name: String, count: Int)] = []
    for strategy in reducer.strategies.compactMap({ $0?.name }) {
      if let index = counts.firstIndex(where: { $0.name == strategy }) {
        counts[index].count += 1
      } else {
        counts.append((strategy, 1))
      }
    }
    return " (" + counts.map { "\($0.count) \($0.name)" }.joined(separator: ", ") + ")"
  }

  private static func rate(_ recipe: Recipe, warmupSteps: Int) -> String {
    var parts = [recipe.learningRateText]
    if warmupSteps > 0 {
      let start = recipe.warmupStartRate
      parts.append("warm-up \(count(warmupSteps, "step"))" + (start == 0 ? "" : " from \(start)"))
    }
    parts.append(
      "\(recipe.schedule.rawValue) schedule"
        + (recipe.schedule == .step && !recipe.milestones.isEmpty
          ? ", × \(recipe.stepFactor) at \(recipe.milestones.map(\.description).joined(separator: ", "))" : ""))
    if recipe.optimizer != .sgd {
      parts.append(
        recipe.optimizer.rawValue + (recipe.isPaperLARS ? " (paper)" : "")
          + (recipe.optimizer == .lars ? ", coefficient \(recipe.trustCoefficient)" : ""))
    }
    parts.append(
      recipe.optimizer.hasMomentum
        ? "momentum \(recipe.momentum)\(recipe.nesterov ? " (Nesterov)" : "")\(recipe.correctsMomentum ? ", corrected" : "")"
        : recipe.optimizer.hasBetas ? "betas \(recipe.beta1), \(recipe.beta2)" : "no momentum")
    if recipe.weightDecay > 0 {
      parts.append("weight decay \(recipe.weightDecay)" + (recipe.decaysAll ? " of all parameters" : ""))
    }
    if recipe.labelSmoothing > 0 { parts.append("labels smoothed by \(recipe.labelSmoothing)") }
    if let clip = recipe.clipNorm { parts.append("clipped to norm \(clip)") }
    if let decay = recipe.averageDecay { parts.append("evaluated as averages, decay \(decay)") }
    return parts.joined(separator: " · ")
  }

  /// "Open MPI 4.1.4" out of the library's long text.
  static func library() -> String {
    let words = MPILibrary.version.replacingOccurrences(of: "v", with: "").split(whereSeparator: {
      " ,\n\t".contains($0)
    })
    guard words.count >= 3 else { return MPILibrary.version }
    return words.prefix(3).joined(separator: " ")
  }
}

/// "1 shard", "4 shards".
public func count(_ number: Int, _ noun: String) -> String { "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")" }

/// With a capital in front, as sentences begin.
func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

/// 1234567 as 1,234,567.
public func grouped(_ number: Int) -> String {
  var digits = String(number.magnitude)
  var groups: [String] = []
  while digits.count > 3 {
    groups.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

func mebibytes(_ bytes: Int) -> String { String(format: "%.2f MiB", Double(bytes) / 0x1p20) }
