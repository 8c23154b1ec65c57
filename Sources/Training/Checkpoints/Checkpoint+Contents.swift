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

  /// Writes parameters and running statistics alone as a safetensors file that PyTorch and `--init` load; those that are
  /// evaluated have the same bytes as the `model.safetensors` of a run that ends here.
  ///
  /// - Parameter parameters: nil for those that are evaluated.
  /// - Returns: which they are.
  /// - Throws: 64 where there is no average.
  @discardableResult
  public func exportParameters(_ parameters: Parameters? = nil, to output: String) throws -> Parameters {
    try verify()
    let evaluated = try evaluatedParameters()
    let parameters = parameters ?? evaluated
    guard parameters == .trained || evaluated == .average else {
      throw TrainingError(
        .badConfiguration,
        "--parameters average: the run of \(path) keeps no average; leave it out, or train with --average-parameters.")
    }
    try classifying {
      try SafetensorsFile.write(Self.sources(statePath, prefix: parameters.prefix), to: output)
    }
    return parameters
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
