import Networks
import Testing

/// Tracing: the shapes that layers infer, the names and roles of what they own.
@Suite struct TracingTests {
  /// How often a window fits, by sliding it.
  private func slowExtent(_ extent: Int, kernel: Int, stride: Int, padding: Int) -> Int {
    var count = 0
    var start = -padding
    while start + kernel <= extent + padding {
      count += 1
      start += stride
    }
    return count
  }

  @Test func windowsOfAllSmallExtents() {
    var wrong: [String] = []
    for height in 1...7 {
      for kernel in 1...4 {
        for stride in 1...3 {
          for padding in 0...2 where height + 2 * padding >= kernel {
            let window = Window(kernel: [kernel, 1], stride: [stride, 2], padding: [padding, 0])
            let expected = [
              slowExtent(height, kernel: kernel, stride: stride, padding: padding),
              slowExtent(5, kernel: 1, stride: 2, padding: 0),
            ]
            if window.outputExtents(height, 5) != expected { wrong.append("\(height) \(window)") }
          }
        }
      }
    }
    #expect(wrong == [])
  }

  /// The graph of a function from one input.
  private func graph(_ shape: [Int], _ body: (SymbolicTensor) -> SymbolicTensor) -> (graph: Graph, output: [Int]) {
    let trace = Trace()
    let result = body(trace.input(shape))
    return (trace.graph, result.shape)
  }

  @Test func shapesOfLayers() {
    let image = [2, 6, 9, 7]
    let oblong = Window(kernel: [3, 2], stride: [2, 1], padding: [1, 0])
    let cases: [(String, [Int], [[Int]], (SymbolicTensor) -> SymbolicTensor)] = [
      ("convolution", [2, 4, 5, 6], [[4, 6, 3, 2], [4]], { $0.convolution("c", outputs: 4, oblong) }),
      ("grouped", [2, 9, 5, 6], [[9, 2, 3, 2]], { $0.convolution("c", outputs: 9, oblong, groups: 3, bias: false) }),
      (
        "depthwise", [2, 6, 9, 7], [[6, 1, 3, 3], [6]],
        { $0.convolution("c", outputs: 6, .init(3, padding: 1), groups: 6) }
      ),
      ("max pool", [2, 6, 5, 6], [], { $0.maxPool(oblong) }),
      ("average pool", [2, 6, 4, 3], [], { $0.averagePool(.init(2, stride: 2)) }),
      ("global", [2, 6, 1, 1], [], { $0.globalAveragePool() }),
      ("relu", image, [], { $0.relu() }),
      ("batch norm", image, [[6], [6], [6], [6]], { $0.batchNorm("b") }),
      ("dropout", image, [], { $0.dropout("d", probability: 0.5) }),
      ("no dropout", image, [], { $0.dropout("d", probability: 0) }),
      ("add", image, [], { $0 + $0.relu() }),
      ("concatenate", [2, 18, 9, 7], [], { .concatenate([$0, $0.relu(), $0]) }),
      ("flatten", [2, 378], [], { $0.flatten() }),
      ("inner product", [2, 3], [[3, 378], [3]], { $0.flatten().innerProduct("f", outputs: 3) }),
    ]
    for (name, output, parameters, body) in cases {
      let traced = graph(image, body)
      #expect(traced.output == output, "\(name)")
      #expect(traced.graph.parameters.map(\.shape) == parameters, "\(name)")
    }
  }

  @Test func layersWithoutNamesAreNumbered() {
    let traced = graph([1, 2, 8, 8]) {
      $0.relu().maxPool(.init(2)).relu().averagePool(.init(2)).globalAveragePool().flatten()
    }
    #expect(
      traced.graph.nodes.map(\.name) == ["input", "relu1", "maxpool1", "relu2", "avgpool1", "gap1", "flatten1"])
  }

  @Test func rolesDecideWhatIsTrained() {
    let parameters = graph([1, 2, 8, 8]) {
      $0.convolution("c", outputs: 3, .init(3)).batchNorm("b", momentum: 0.2).flatten().innerProduct("f", outputs: 2)
    }.graph.parameters
    #expect(
      parameters.map(\.role) == [
        .weight, .bias, .normalizationScale, .normalizationShift, .runningMean, .runningVariance, .weight, .bias,
      ])
    #expect(parameters.filter { !$0.isTrainable }.map(\.name) == ["b.running_mean", "b.running_var"])
    #expect(parameters.filter(\.isWeight).map(\.name) == ["c.weight", "f.weight"])
    #expect(parameters[4].momentum == 0.2)
    #expect(
      parameters.map(\.initializer) == [
        .heNormal(fan: 18), .zeros, .ones, .zeros, .zeros, .ones, .heNormal(fan: 108), .zeros,
      ])
  }

  @Test func twoLayersOfOneNameTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = Network(name: "twice", input: .init(1, 4, 4), classes: 2) {
        $0.flatten().innerProduct("fc", outputs: 2).innerProduct("fc", outputs: 2)
      }.traced(batchSize: 1)
    }
  }

  @Test func logitsOfAnotherShapeTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = Network(name: "wrong", input: .init(1, 4, 4), classes: 3) { $0.flatten().innerProduct("fc", outputs: 2) }
        .traced(batchSize: 1)
    }
  }
}
