import Engine
import Foundation
import TensorFiles

/// A whole state on disk: `state.safetensors` and a manifest that says what it is and how to check it.
public struct Checkpoint: Sendable {
  /// What a checkpoint says of itself.
  public struct Manifest: Codable, Sendable {
    /// The version of this form.
    public var format = 1
    public var step: Int
    public var epoch: Double
    /// The resolved settings, as `config.yaml` has them.
    public var configuration: String
    public var plan: String
    public var fingerprint: String
    public var stateSHA256: String
    /// Of each file beside the manifest, by name.
    public var files: [String: String]
    /// Of the last step.
    public var loss: Double
    public var best: Best?
    /// The choice of kernels as `plan.json` has it, where the run keeps one.
    public var kernels: String?

    public init(
      step: Int, epoch: Double, configuration: String, plan: String, fingerprint: String, stateSHA256: String,
      files: [String: String] = [:], loss: Double, best: Best? = nil, kernels: String? = nil
    ) {
      (self.step, self.epoch, self.configuration, self.plan) = (step, epoch, configuration, plan)
      (self.fingerprint, self.stateSHA256, self.files) = (fingerprint, stateSHA256, files)
      (self.loss, self.best, self.kernels) = (loss, best, kernels)
    }

    public struct Best: Codable, Sendable {
      public var step: Int
      public var correct: Int
      public var loss: Double
      public init(step: Int, correct: Int, loss: Double) {
        (self.step, self.correct, self.loss) = (step, correct, loss)
      }
    }
  }

  public let path: String
  public let manifest: Manifest

  static let stateName = "state.safetensors"
  static let manifestName = "manifest.json"

  /// Reads the manifest of a checkpoint directory.
  public init(path: String) throws {
    self.path = path
    let file = path + "/" + Self.manifestName
    guard let data = FileManager.default.contents(atPath: file) else {
      throw TrainingError(.badData, "\(file): cannot be read; give the directory of a checkpoint.")
    }
    do { manifest = try JSONDecoder().decode(Manifest.self, from: data) } catch {
      throw TrainingError(.badData, "\(file): is not the manifest of a checkpoint; take another checkpoint.")
    }
    guard manifest.format == 1 else {
      throw TrainingError(.badData, "\(file): has format \(manifest.format), this program reads 1; use a newer one.")
    }
  }

  /// Compares every file with its digest.
  public func verify() throws {
    for (name, digest) in manifest.files.sorted(by: { $0.key < $1.key }) {
      let file = path + "/" + name
      guard let data = FileManager.default.contents(atPath: file) else {
        throw TrainingError(.badData, "\(file): is missing; take another checkpoint.")
      }
      guard SHA256.hash(Array(data)).description == digest else {
        throw TrainingError(.badData, "\(file): does not have the digest of its manifest; take another checkpoint.")
      }
    }
  }

  /// Writes a state. The directory appears under its name whole or not at all.
  public static func write(_ state: TrainingState, manifest: Manifest, to directory: String) throws -> String {
    let name = "step-" + String(repeating: "0", count: max(0, 8 - "\(manifest.step)".count)) + "\(manifest.step)"
    let final = directory + "/" + name
    let temporary = directory + "/." + name + ".temporary"
    try classifying {
      try? FileManager.default.removeItem(atPath: temporary)
      do { try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true) } catch {
        throw TrainingError(.cannotWrite, "\(temporary): cannot be created; check permissions and free space.")
      }
      let file = temporary + "/" + stateName
      try SafetensorsFile.write(state.stateTensors, to: file)
      var manifest = manifest
      guard let written = FileManager.default.contents(atPath: file) else {
        throw TrainingError(.cannotWrite, "\(file): cannot be read back after it was written.")
      }
      manifest.files = [stateName: SHA256.hash(Array(written)).description]
      try AtomicFile.write(Array(RunDirectory.json(manifest, pretty: true)), to: temporary + "/" + manifestName)
      try? FileManager.default.removeItem(atPath: final)
      guard rename(temporary, final) == 0 else {
        throw TrainingError(.cannotWrite, "\(final): cannot be renamed to (\(String(cString: strerror(errno)))).")
      }
      let parent = open(directory, O_RDONLY)
      if parent >= 0 {
        fsync(parent)
        close(parent)
      }
    }
    return final
  }

  /// The checkpoints of a directory, newest first; names that are not theirs are passed over.
  public static func list(in directory: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.filter { $0.hasPrefix("step-") }.sorted(by: >).map { directory + "/" + $0 }
  }

  /// Puts the stored parameters and running statistics into a state of the same model, and nothing else.
  public func loadParameters(into state: TrainingState) throws {
    try classifying {
      let file = try SafetensorsFile(path: path + "/" + Self.stateName)
      for entry in state.layout.entries { try Self.fill(entry, "model/", file, state.layout, state.parameters) }
    }
  }

  /// Puts the stored values into a state of the same model and optimizer.
  public func load(into state: TrainingState) throws {
    try loadParameters(into: state)
    try classifying {
      let file = try SafetensorsFile(path: path + "/" + Self.stateName)
      let trained = state.layout.entries.filter(\.parameter.isTrainable)
      for (name, slot) in zip(state.slotNames, state.slots) {
        for entry in trained { try Self.fill(entry, "optimizer/\(name)/", file, state.layout, slot) }
      }
      let expected = 1 + state.layout.entries.count + state.slots.count * trained.count
      guard file.tensors.count == expected else {
        throw TrainingError(
          .badData,
          "\(path): holds \(file.tensors.count) tensors where this run has \(expected); give the recipe it was made with."
        )
      }
      state.position = Position(step: Int(try file.integers("position/step")[0]))
    }
  }

  private static func fill(
    _ entry: ParameterLayout.Entry, _ prefix: String, _ file: borrowing SafetensorsFile, _ layout: ParameterLayout,
    _ vector: FloatBuffer
  ) throws {
    let name = prefix + entry.parameter.name
    _ = try file.tensor(named: name, shape: entry.parameter.shape)
    try layout.setStandardValues(file.floats(name), of: entry, in: vector.pointer)
  }
}
