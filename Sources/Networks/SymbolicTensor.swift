/// A tensor of a model while it is traced: a shape and a place in the graph, no numbers.
public struct SymbolicTensor {
  public let shape: [Int]
  package let value: Graph.ValueID
  let trace: Trace
}

/// The graph under construction, shared by all symbolic tensors of one trace.
package final class Trace {
  package internal(set) var graph = Graph()
  private var layerNames: Set<String> = []
  private var counters: [String: Int] = [:]

  package init() {}

  package func input(_ shape: [Int]) -> SymbolicTensor {
    SymbolicTensor(shape: shape, value: graph.makeInput(shape), trace: self)
  }

  func claim(_ name: String) -> String {
    precondition(layerNames.insert(name).inserted, "two layers are named \(name)")
    return name
  }

  /// `relu1`, `relu2`, … for layers without parameters, which models need not name.
  func next(_ kind: String) -> String {
    counters[kind, default: 0] += 1
    return claim("\(kind)\(counters[kind]!)")
  }

  func parameter(_ parameter: Parameter) -> Int {
    graph.parameters.append(parameter)
    return graph.parameters.count - 1
  }
}

extension SymbolicTensor {
  func apply(
    _ operation: Graph.Operation, name: String, to others: [SymbolicTensor] = [], shape: [Int],
    auxiliary: [(shape: [Int], kind: Graph.Value.Kind)] = [], parameters: [Parameter] = []
  ) -> SymbolicTensor {
    let indices = parameters.map(trace.parameter)
    let output = trace.graph.makeValue(shape)
    let rest = auxiliary.map { trace.graph.makeValue($0.shape, $0.kind) }
    trace.graph.append(
      operation, name: name, inputs: [value] + others.map(\.value), outputs: [output] + rest, parameters: indices)
    return SymbolicTensor(shape: shape, value: output, trace: trace)
  }
}
