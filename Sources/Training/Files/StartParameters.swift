import Networks
import TensorFiles

extension Network {
  /// Writes the parameters that a new run of this seed starts from, as a safetensors file.
  public func writeStartParameters(seed: UInt64, to path: String) throws {
    let parameters = traced(batchSize: 1).parameters
    let sources = parameters.map { parameter in
      TensorSource(name: parameter.name, shape: parameter.shape) { emit in
        try parameter.initializer.values(count: parameter.count, seed: seed, name: parameter.name)
          .withUnsafeBufferPointer(emit)
      }
    }
    try classifying { try SafetensorsFile.write(sources, to: path) }
  }
}
