/// One layer of a model as a table shows it.
public struct LayerSummary: Sendable {
  public let name: String
  public let kind: String
  /// The output's shape without the samples.
  public let outputShape: [Int]
  /// Trained parameters; running statistics are not counted.
  public let parameterCount: Int
  /// Multiply-adds of one sample's forward pass, in convolutions and inner products.
  public let multiplyAdds: Int
}

extension Graph {
  /// The forward layers in order, with what each costs.
  public func layers() -> [LayerSummary] {
    nodes.compactMap { node in
      guard let output = node.outputs.first, !node.inputs.isEmpty else { return nil }
      let shape = Array(self[output].shape.dropFirst())
      let own = node.parameters.map { parameters[$0] }
      var multiplyAdds = 0
      switch node.operation {
      case .convolution:
        multiplyAdds = own[0].count * shape[1] * shape[2]
      case .innerProduct:
        multiplyAdds = own[0].count
      default: break
      }
      return LayerSummary(
        name: node.name, kind: node.operation.kind, outputShape: shape,
        parameterCount: own.filter(\.isTrainable).reduce(0) { $0 + $1.count }, multiplyAdds: multiplyAdds)
    }
  }

  /// Trained parameters of the model.
  public var parameterCount: Int { parameters.filter(\.isTrainable).reduce(0) { $0 + $1.count } }
}

extension Graph.Operation {
  /// The operation's name without its attributes: `convolution`, `max pool`, ….
  public var kind: String {
    switch self {
    case .input: "input"
    case .convolution(_, let groups, _): groups == 1 ? "convolution" : "grouped convolution"
    case .innerProduct: "inner product"
    case .maxPool: "max pool"
    case .averagePool: "average pool"
    case .globalAveragePool: "global average pool"
    case .relu: "ReLU"
    case .relu6: "ReLU6"
    case .batchNorm, .batchNormInference: "batch norm"
    case .dropout: "dropout"
    case .add: "add"
    case .concatenate: "concatenate"
    case .sliceChannels: "slice channels"
    case .padChannels: "pad channels"
    case .shuffleChannels: "shuffle channels"
    case .gatherChannels: "gather channels"
    case .reshape: "reshape"
    case .softmaxCrossEntropy, .softmaxCrossEntropyLoss: "softmax cross-entropy"
    case .convolutionBackwardData, .innerProductBackwardData: "backward data"
    case .convolutionBackwardWeights, .innerProductBackwardWeights: "backward weights"
    case .maxPoolBackward, .averagePoolBackward, .globalAveragePoolBackward: "pool backward"
    case .reluBackward: "ReLU backward"
    case .relu6Backward: "ReLU6 backward"
    case .batchNormBackward: "batch norm backward"
    case .batchNormStatistics: "batch norm statistics"
    case .dropoutBackward: "dropout backward"
    case .fusedBatchNorm(let fusion), .fusedBatchNormInference(let fusion), .fusedBatchNormAgain(let fusion):
      "batch norm" + fusion.text
    case .fusedBatchNormBackward(let fusion): "batch norm" + fusion.text + " backward"
    }
  }
}

extension BatchNormFusion {
  /// What comes behind the normalisation: " + add + ReLU".
  fileprivate var text: String {
    (adds ? " + add" : "") + (ceiling.map { $0.isFinite ? " + ReLU\(Int($0))" : " + ReLU" } ?? "")
  }
}
