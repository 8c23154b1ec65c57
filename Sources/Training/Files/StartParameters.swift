import Networks
import TensorFiles

extension Network {
  /// Writes the parameters that a new run of this seed starts from, as a safetensors file.
  ///
  /// - Parameter zeroingResiduals: whether residual branches start at zero.
  /// - Throws: 64 where they are to and there are none.
  public func writeStartParameters(seed: UInt64, zeroingResiduals: Bool = false, to path: String) throws {
    if zeroingResiduals { try checkResidualBranches() }
    let parameters = traced(batchSize: 1).parameters
    let sources = parameters.map { parameter in
      TensorSource(name: parameter.name, shape: parameter.shape) { emit in
        try parameter.start(zeroingResiduals: zeroingResiduals).values(
          count: parameter.count, seed: seed, name: parameter.name
        )
        .withUnsafeBufferPointer(emit)
      }
    }
    try classifying { try SafetensorsFile.write(sources, to: path) }
  }

  /// Stops where `--zero-init-residual` has nothing to act on.
  func checkResidualBranches() throws {
    guard !hasResidualBranches else { return }
    throw TrainingError(
      .badConfiguration,
      "--zero-init-residual: no residual branch of \(name) ends in a batch norm; leave it out, or choose a ResNet.")
  }
}
