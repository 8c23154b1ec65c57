import Optimizers
import Testing

/// Twenty steps of every chain against float64 numbers from PyTorch.
@Suite struct PyTorchParityTests {
  /// Two parameters with three elements of padding between them; the second is a bias.
  static func layout(biasDecays: Bool) -> UpdateLayout {
    UpdateLayout([
      ParameterRegion(name: "weight", elements: 0..<77),
      ParameterRegion(name: "bias", elements: 80..<85, decays: biasDecays, adapts: false),
    ])
  }

  static func chains() throws -> [(String, [GradientTransformation])] {
    try [
      ("sgd", .stochasticGradientDescent()),
      ("momentum", .stochasticGradientDescent(momentum: 0.9)),
      ("nesterov", .stochasticGradientDescent(momentum: 0.9, nesterov: true)),
      ("decay", .stochasticGradientDescent(weightDecay: 0.05)),
      ("momentum-decay", .stochasticGradientDescent(momentum: 0.9, weightDecay: 0.05)),
      ("nesterov-decay-without-bias", .stochasticGradientDescent(momentum: 0.9, nesterov: true, weightDecay: 0.05)),
      ("clip", .stochasticGradientDescent(clipNorm: 9)),
      ("clip-loose", .stochasticGradientDescent(momentum: 0.9, clipNorm: 100)),
      (
        "clip-nesterov-decay",
        .stochasticGradientDescent(momentum: 0.9, nesterov: true, weightDecay: 0.05, clipNorm: 9)
      ),
      ("adamw-without-bias", .adamW(beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.05)),
      (
        "adam-l2",
        [.addDecayedWeights(0.05), .scaleByAdam(beta1: 0.8, beta2: 0.95, epsilon: 1e-6), .scaleByLearningRate]
      ),
      ("lars-without-bias", .lars(coefficient: 0.02, momentum: 0.9, weightDecay: 0.05, epsilon: 1e-3)),
      ("lamb-without-bias", .lamb(beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05)),
    ]
  }

  /// A flat vector with the padding put in.
  static func padded(_ values: some Collection<Float>) -> [Float] {
    Array(values.prefix(77)) + [0, 0, 0] + Array(values.dropFirst(77))
  }

  @Test func twentySteps() throws {
    let file = try openReference("optimizers")
    let gradients = try file.floats("gradients")
    let kept = try file.integers("kept").map { Int($0) }
    let rates = try doubles("rates", of: file)
    let norms = try doubles("norms", of: file)
    for (name, chain) in try Self.chains() {
      let expected = try file.floats(name)
      let layout = Self.layout(biasDecays: !name.hasSuffix("without-bias"))
      let model = FlatModel(layout, chain, parameters: Self.padded(try file.floats("start")))
      var worst = 0.0
      for step in 0..<20 {
        model.gradient = Self.padded(gradients[(82 * step)..<(82 * step + 82)])
        let norm = model.step(UpdateStep(number: step, learningRate: rates[step]), measuringNorm: true)
        #expect(abs((norm ?? 0) / norms[step] - 1) < 1e-14, "\(name), step \(step)")
        guard let row = kept.firstIndex(of: step) else { continue }
        for (ours, theirs) in zip(model.parameters, Self.padded(expected[(82 * row)..<(82 * row + 82)])) {
          worst = max(worst, Double(abs(ours - theirs)) / max(1, Double(abs(theirs))))
        }
        #expect(model.parameters[77..<80] == [0, 0, 0])
      }
      #expect(worst < 2e-6, "\(name): \(worst)")
      #expect(model.slots.allSatisfy { $0[77..<80] == [0, 0, 0] })
    }
  }
}
