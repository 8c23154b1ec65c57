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

  /// The parameters of a checkpoint: those that training goes on with, or the average that is evaluated.
  public enum Parameters: String, Sendable, CaseIterable {
    case trained, average

    /// What the names of their tensors begin with.
    var prefix: String {
      switch self {
      case .trained: "model/"
      case .average: "average/"
      }
    }
  }

  /// The parameters that the run evaluates: the average, where it keeps one.
  public func evaluatedParameters() throws -> Parameters {
    try tensors().contains { $0.name.hasPrefix(Parameters.average.prefix) } ? .average : .trained
  }

  /// Puts the evaluated parameters and running statistics into the parameters of a state of the same model.
  public func loadEvaluated(into state: TrainingState) throws {
    let prefix = try evaluatedParameters().prefix
    try classifying {
      let file = try SafetensorsFile(path: statePath)
      for entry in state.layout.entries { try Self.fill(entry, prefix, file, state.layout, state.parameters) }
    }
  }

  /// Puts the stored values into a state of the same model and optimizer.
  ///
  /// - Parameter goesOn: called after every tensor.
  public func load(into state: TrainingState, goesOn: () -> Void = {}) throws {
    try classifying {
      let file = try SafetensorsFile(path: statePath)
      var expected = 1
      for stored in state.stored {
        if stored.isNumber {
          _ = try file.tensor(named: stored.prefix, shape: [1])
          try file.read(stored.prefix, into: stored.vector.values)
          expected += 1
          continue
        }
        let entries = state.layout.entries.filter { !stored.trainableOnly || $0.parameter.isTrainable }
        for entry in entries {
          try Self.fill(entry, stored.prefix, file, state.layout, stored.vector, isStandard: stored.isStandard)
          goesOn()
        }
        expected += entries.count
      }
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
    _ vector: FloatBuffer, isStandard: Bool = false
  ) throws {
    let name = prefix + entry.parameter.name
    _ = try file.tensor(named: name, shape: entry.parameter.shape)
    if isStandard {
      let values = UnsafeMutableBufferPointer(
        start: vector.pointer + entry.range.lowerBound, count: entry.parameter.count)
      return try file.read(name, into: values)
    }
    try layout.setStandardValues(file.floats(name), of: entry, in: vector.pointer)
  }
}
