import Engine
import Foundation
import TensorFiles

/// A whole state on disk: `state.safetensors` and a manifest that says what it is and how to check it.
public struct Checkpoint: Sendable {
  public let path: String
  public let manifest: Manifest

  var statePath: String { path + "/" + Self.stateName }

  static let stateName = "state.safetensors"
  static let manifestName = "manifest.json"

  /// Reads the manifest of a checkpoint directory.
  /// - Throws: 65 where it is missing or damaged.
  public init(path: String) throws {
    self.path = path
    manifest = try Manifest(path: path + "/" + Self.manifestName)
  }

  /// Compares every file with its digest.
  ///
  /// - Parameter goesOn: called after every piece of a file.
  /// - Throws: 65 with the first file that is missing or damaged.
  public func verify(goesOn: () -> Void = {}) throws {
    for (name, digest) in manifest.files.sorted(by: { $0.key < $1.key }) {
      let file = path + "/" + name
      guard FileManager.default.fileExists(atPath: file) else {
        throw TrainingError(.badData, "\(file): is missing; take another checkpoint.")
      }
      guard try classifying({ try SHA256.hash(contentsOf: file, goesOn: goesOn) }).description == digest else {
        throw TrainingError(.badData, "\(file): does not have the digest of its manifest; take another checkpoint.")
      }
    }
  }

  /// Puts the stored parameters and running statistics into a state of the same model, and nothing else.
  ///
  /// - Parameter goesOn: called after every tensor.
  public func loadParameters(into state: TrainingState, goesOn: () -> Void = {}) throws {
    try classifying {
      let file = try SafetensorsFile(path: statePath)
      for entry in state.layout.entries {
        try Self.fill(entry, "model/", file, state.layout, state.parameters)
        goesOn()
      }
    }
  }

  /// Puts the stored values into a state of the same model and optimizer.
  ///
  /// - Parameter goesOn: called after every tensor.
  public func load(into state: TrainingState, goesOn: () -> Void = {}) throws {
    try loadParameters(into: state, goesOn: goesOn)
    try classifying {
      let file = try SafetensorsFile(path: statePath)
      let trained = state.layout.entries.filter(\.parameter.isTrainable)
      for (name, slot) in zip(state.slotNames, state.slots) {
        for entry in trained {
          try Self.fill(entry, "optimizer/\(name)/", file, state.layout, slot)
          goesOn()
        }
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
