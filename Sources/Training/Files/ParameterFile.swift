import Engine
import Networks
import TensorFiles

extension TrainingState {
  /// Writes the parameters and running statistics as a safetensors file that PyTorch loads.
  ///
  /// - Parameter goesOn: called again and again meanwhile.
  public func writeParameters(
    to path: String, metadata: [String: String] = [:], goesOn: () -> Void = {}
  ) throws {
    _ = try classifying { try SafetensorsFile.write(parameterTensors, metadata: metadata, to: path, goesOn: goesOn) }
  }

  /// Loads parameters from a safetensors file.
  ///
  /// Every tensor of the file must fit, and every trained parameter must be in the file; running statistics may be
  /// missing and keep their start values, and integers (PyTorch's `num_batches_tracked`) are passed over.
  ///
  /// - Parameter skipped: layers whose parameters keep their start values whatever the file holds, and those of the file that
  ///   the model has not: a name such as `fc2` stands for all its parameters, for a last layer with another number of classes.
  public func readParameters(from path: String, skipping skipped: [String] = []) throws {
    try classifying {
      let file = try SafetensorsFile(path: path)
      func isSkipped(_ name: String) -> Bool { skipped.contains { isSkippedBy($0, name) } }
      let names = layout.entries.map(\.parameter.name) + file.tensors.map(\.name)
      for prefix in skipped where !names.contains(where: { isSkippedBy(prefix, $0) }) {
        throw TrainingError(
          .badConfiguration,
          "--init-skip \(prefix): neither the model nor \(path) has such a layer; `models show` lists the model's.")
      }
      let known = Set(layout.entries.map(\.parameter.name))
      if let stranger = file.tensors.first(where: {
        !known.contains($0.name) && $0.type.isFloatingPoint && !isSkipped($0.name)
      }) {
        throw TrainingError(
          .badData,
          "\(path): holds \(stranger.name), which the model has not; give the file of this model, "
            + "or pass the layer over with --init-skip.")
      }
      for entry in layout.entries where !isSkipped(entry.parameter.name) {
        let parameter = entry.parameter
        if !parameter.isTrainable && file.tensor(named: parameter.name) == nil { continue }
        _ = try file.tensor(named: parameter.name, shape: parameter.shape)
        try layout.setStandardValues(file.floats(parameter.name), of: entry, in: parameters.pointer)
      }
    }
  }
}

private func isSkippedBy(_ prefix: String, _ name: String) -> Bool { name == prefix || name.hasPrefix(prefix + ".") }
