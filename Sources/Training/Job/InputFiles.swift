/// The files that a run reads. What is in them decides the result; where they are is each host's own affair.
public struct InputFiles: Sendable, Hashable {
  /// Where the files of the data set are; nil for where they usually are.
  public var dataDirectory: String?
  /// A safetensors file of parameters to start from; nil for those of the seed.
  public var parameters: String?
  /// Layers whose parameters are those of the seed all the same.
  public var skippedLayers: [String]

  public init(dataDirectory: String? = nil, parameters: String? = nil, skippedLayers: [String] = []) {
    (self.dataDirectory, self.parameters, self.skippedLayers) = (dataDirectory, parameters, skippedLayers)
  }
}

extension TrainingState {
  /// Takes the parameters that a run starts from, where they come from a file.
  func readStart(_ inputs: InputFiles) throws {
    guard let path = inputs.parameters else { return }
    try readParameters(from: path, skipping: inputs.skippedLayers)
  }
}
