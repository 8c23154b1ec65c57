import Engine
import Foundation
import MPI
import TensorFiles

/// Computes the gradients of a recorded step again, anywhere, and compares the bits: what the command `replay` is, as a value.
///
/// A difference means that a processor or a memory of one of the two machines computes wrongly, because nothing else may
/// change a bit.
public struct ReplayJob: Sendable {
  /// With `shards` and `threadsPerShard` as the run had them.
  public var recipe: Recipe
  public var inputs: InputFiles
  public var runDirectory: String
  /// From 1.
  public var step: Int

  public init(_ recipe: Recipe, _ inputs: InputFiles, runDirectory: String, step: Int) {
    (self.recipe, self.inputs, self.runDirectory, self.step) = (recipe, inputs, runDirectory, step)
  }

  public struct Report: Sendable {
    /// The step that it went on from: a checkpoint's, or 0.
    public var start: Int
    /// Of each shard, as the run recorded them and as they are now.
    public var recorded: [String]
    public var computed: [String]
    public var differingShards: [Int] { recorded.indices.filter { recorded[$0] != computed[$0] } }
  }

  /// Collective.
  public func run(_ world: Communicator) throws -> Report {
    try Fingerprint.ofThisMachine().checkEqual(on: world)
    let recorded = try world.agree { try world.rank == 0 ? recordedDigests() : [] }
    let resources = try Resources(world: world, shards: recipe.shards, threadsPerShard: recipe.threadsPerShard)
    let data = try world.agree { try TrainingData(recipe, directory: inputs.dataDirectory) }
    try data.checkEqual(on: world)
    let stored = PlanFile.name
    let planPath = runDirectory + "/" + stored
    let plan = (try? String(contentsOfFile: planPath, encoding: .utf8)).map { (text: $0, path: planPath) }
    let kernels = try recipe.planSource.resolve(on: world, stored: plan) { KernelChoice(.rules) }
    let executor = try world.agree {
      try Trainer.makeExecutor(
        network: data.network(recipe), recipe: recipe, resources: resources, data: data, kernels: kernels.choice)
    }
    let trainer = try Trainer(world: world, recipe: recipe, resources: resources, data: data, executor: executor)
    try trainer.start { state in
      let before = try checkpointBefore()
      let start = try beginning()
      try checkSame(
        fingerprint: before?.manifest.fingerprint ?? start.fingerprint,
        data: before?.manifest.data ?? start.dataDigest, data)
      if let before { return try before.load(into: state) }
      try state.readStart(inputs)
      guard let path = inputs.parameters, let digest = start.initialDigest else { return }
      guard try state.parametersDigest().description == digest else {
        throw TrainingError(
          .badData, "\(path): no longer holds the parameters that the run began with; give the file as it was.")
      }
    }
    let start = trainer.state.position.step
    let reader = try trainer.makeReader()
    while trainer.state.position.step < step - 1 { _ = try trainer.step(reader, measuringNorm: false) }
    let result = try trainer.step(reader, measuringNorm: false, recordsGradients: true)
    return Report(start: start, recorded: recorded, computed: result.gradientDigests ?? [])
  }

  /// What the run has recorded of the step, the last time if several times.
  private func recordedDigests() throws -> [String] {
    var recorded: [Int: [String]] = [:]
    for case .gradients(let step, let digests) in try EventLog(run: runDirectory).events { recorded[step] = digests }
    guard let digests = recorded[step], digests.count == recipe.shards else {
      let steps = recorded.keys.sorted().map(grouped)
      let known = steps.isEmpty ? "none; train with --record-gradients" : steps.suffix(10).joined(separator: ", ")
      throw TrainingError(
        .badConfiguration,
        "--step \(step): \(EventLog.path(run: runDirectory)) has no gradients of it. It has those of \(known).")
    }
    return digests
  }

  /// How the run began, the last time if several times.
  private func beginning() throws -> RunEvent.Start {
    var start = RunEvent.Start()
    for case .started(let begun) in try EventLog(run: runDirectory).events where begun.step ?? 0 == 0 { start = begun }
    return start
  }

  /// Bits of another machine, or of other data, say nothing of this one.
  private func checkSame(fingerprint: String?, data digest: String?, _ data: TrainingData) throws {
    let here = Fingerprint.ofThisMachine()
    if let fingerprint, fingerprint != here.description {
      throw TrainingError(
        .badConfiguration,
        "\(runDirectory) was trained with \(here.differences(inLine: fingerprint)), so the bits differ by nature: replay it "
          + "on a machine of that kind.")
    }
    if let digest, digest != RunSession.digest(of: data) {
      throw TrainingError(
        .badData,
        "\(data.name) here has the digest \(RunSession.digest(of: data)), the run's had \(digest); give its files.")
    }
  }

  /// The newest whole checkpoint from before the step.
  private func checkpointBefore() throws -> Checkpoint? {
    for path in try CheckpointStore(directory: runDirectory + "/checkpoints").paths() {
      if let checkpoint = try? Checkpoint(path: path), checkpoint.manifest.step < step,
        (try? checkpoint.verify()) != nil
      {
        return checkpoint
      }
    }
    return nil
  }
}

extension GradientReport {
  /// What `events.jsonl` calls it.
  static let eventName = "gradients"
}
