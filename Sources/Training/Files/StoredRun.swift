import Engine
import Foundation

/// Parameters that a run left behind, with the settings that they belong to.
public struct StoredRun: Sendable {
  /// What holds the parameters: a safetensors file or the directory of a checkpoint.
  public let path: String
  /// The resolved settings, as `config.yaml` has them, and where they were read.
  public let configuration: String
  public let configurationPath: String
  /// The fingerprint of the machine that computed them, where it is known.
  public let fingerprint: String?
  /// The choice of kernels that computed them, where it was kept in a file, and where it was read.
  let plan: (text: String, path: String)?
  private let checkpoint: Checkpoint?

  /// The final parameters of a finished run, or those of its best evaluation.
  /// - Throws: 65 where the directory holds no run, or the run has not got that far.
  public init(run directory: String, best: Bool) throws {
    (configuration, configurationPath) = try Self.configuration(ofRun: directory)
    path = directory + (best ? "/model-best.safetensors" : "/model.safetensors")
    checkpoint = nil
    let planPath = directory + "/" + PlanFile.name
    plan = (try? Self.text(planPath, "")).map { ($0, planPath) }
    guard FileManager.default.fileExists(atPath: path) else {
      let newest = try CheckpointStore(directory: directory + "/checkpoints").paths().first
      throw TrainingError(
        .badData,
        "\(path): is not there, because the run is not finished; "
          + (newest.map { "give --checkpoint \($0), or finish the run." } ?? "finish the run."))
    }
    let summary = try? Self.text(directory + "/summary.json", "")
    fingerprint = summary.flatMap {
      try? decodeJSON(SummaryFile.self, from: Data($0.utf8)).fingerprint
    }
  }

  /// The resolved settings of a run, finished or not, and where they are.
  /// - Throws: 65 where the directory holds no run.
  public static func configuration(ofRun directory: String) throws -> (text: String, path: String) {
    let path = directory + "/config.yaml"
    return (try text(path, "give the directory of a run (--run-dir of train)"), path)
  }

  /// The parameters of a checkpoint, whose files are compared with their digests.
  public init(checkpoint directory: String) throws {
    let checkpoint = try Checkpoint(path: directory)
    try checkpoint.verify()
    path = directory
    configuration = checkpoint.manifest.configuration
    configurationPath = directory + "/" + Checkpoint.manifestName
    fingerprint = checkpoint.manifest.fingerprint
    plan = checkpoint.manifest.kernels.map { ($0, directory) }
    self.checkpoint = checkpoint
  }

  /// Puts the parameters and running statistics that the run evaluates into a state of the same model.
  func load(into state: TrainingState) throws {
    if let checkpoint {
      try checkpoint.loadEvaluated(into: state)
    } else {
      try state.readParameters(from: path)
    }
  }

  private static func text(_ path: String, _ remedy: String) throws -> String {
    do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
      throw TrainingError(.badData, "\(path): cannot be read; \(remedy).")
    }
  }
}
