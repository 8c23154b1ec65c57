import Foundation
import TensorFiles

/// What tools look at in a checkpoint, without a model.
extension Checkpoint {
  /// Bytes of its files.
  public var byteCount: Int {
    ([Self.manifestName] + manifest.files.keys).reduce(0) { total, name in
      let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + name)
      return total + ((attributes?[.size] as? Int) ?? 0)
    }
  }

  /// Names, types and shapes of the state's tensors, in the order of names.
  public func tensors() throws -> [TensorDescription] {
    try classifying { try SafetensorsFile(path: statePath).tensors }
  }

  /// Compares every file with its digest, then the state's tensors with the digest of the state.
  /// - Throws: 65 with the first file that is missing or damaged.
  public func verifyContents() throws {
    try verify()
    let file = statePath
    let digest = try classifying { try tensorsDigest(Self.sources(file, prefix: "")) }
    guard digest.description == manifest.stateSHA256 else {
      throw TrainingError(
        .badData, "\(file): its tensors do not have the state's digest in the manifest; take another checkpoint.")
    }
  }

  /// Writes the parameters and running statistics alone as a safetensors file that PyTorch and `--init` load: the same
  /// bytes as the `model.safetensors` of a run that ends here.
  public func exportParameters(to output: String) throws {
    try verify()
    try classifying {
      try SafetensorsFile.write(Self.sources(statePath, prefix: "model/"), to: output)
    }
  }

  /// The tensors of a file whose names begin with `prefix`, which is left out.
  private static func sources(_ path: String, prefix: String) throws -> [TensorSource] {
    try SafetensorsFile(path: path).tensors.filter { $0.name.hasPrefix(prefix) }.map { tensor in
      let name = String(tensor.name.dropFirst(prefix.count))
      if tensor.type == .i64 {
        return TensorSource(
          name: name, shape: tensor.shape, integers: try SafetensorsFile(path: path).integers(tensor.name))
      }
      return TensorSource(name: name, shape: tensor.shape) { emit in
        try SafetensorsFile(path: path).floats(tensor.name).withUnsafeBufferPointer(emit)
      }
    }
  }
}
