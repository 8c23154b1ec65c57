import Optimizers
import Testing

/// Twenty steps of every chain against float64 numbers from PyTorch.
@Suite struct PyTorchParityTests {
  /// Two parameters with three elements of padding between them; the second is a bias.
  static func layout(withBias: Bool) -> UpdateLayout {
    UpdateLayout([
      ParameterRegion(name: "weight", elements: 0..<77),
      ParameterRegion(name: "bias", elements: 80..<85, decays: withBias, adapts: withBias),
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
      (
        "lars-nesterov-without-bias",
        .lars(coefficient: 0.02, momentum: 0.9, nesterov: true, weightDecay: 0.05, epsilon: 1e-3)
      ),
      (
        "lars-correction-without-bias",
        .lars(coefficient: 0.02, momentum: 0.9, correctingMomentum: true, weightDecay: 0.05, epsilon: 1e-3)
      ),
      (
        "lars-nesterov-correction-without-bias",
        .lars(
          coefficient: 0.02, momentum: 0.9, nesterov: true, correctingMomentum: true, weightDecay: 0.05, epsilon: 1e-3)
      ),
      ("lars-paper", .lars(coefficient: 0.02, momentum: 0.9, weightDecay: 0.05)),
      // Traces of steps, corrected at every change of the rate, are traces of gradients: PyTorch's numbers once more.
      ("momentum", .stochasticGradientDescent(momentum: 0.9, correctingMomentum: true)),
      ("nesterov", .stochasticGradientDescent(momentum: 0.9, nesterov: true, correctingMomentum: true)),
      (
        "clip-nesterov-decay",
        .stochasticGradientDescent(
          momentum: 0.9, nesterov: true, correctingMomentum: true, weightDecay: 0.05, clipNorm: 9)
      ),
      ("lamb-without-bias", .lamb(beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05)),
    ]
  }

  /// A flat vector with the padding put in.
  static func padded(_ values: some Collection<Float>) -> [Float] {
    Array(values.prefix(77)) + [0, 0, 0] + Array(values.dropFirst(77))
  }

  static func step(_ number: Int, _ rates: [Double]) -> UpdateStep {
    UpdateStep(number: number, learningRate: rates[number], previousLearningRate: rates[max(number - 1, 0)])
  }

  /// The average of parameters beside momentum, which it leaves as it is.
  @Test func averages() throws {
    let file = try openReference("optimizers")
    let gradients = try file.floats("gradients")
    let kept = try file.integers("kept").map { Int($0) }
    let rates = try doubles("rates", of: file)
    let expected = try file.floats("average-of-momentum")
    let layout = Self.layout(withBias: true)
    let start = Self.padded(try file.floats("start"))
    let chain = try [GradientTransformation].stochasticGradientDescent(momentum: 0.9)
    let model = FlatModel(layout, chain, average: try ParameterAverage(decay: 0.8), parameters: start)
    let plain = FlatModel(layout, chain, parameters: start)
    #expect(model.optimizer.slots == ["momentum", "average"])
    for step in 0..<20 {
      for model in [model, plain] {
        model.gradient = Self.padded(gradients[(82 * step)..<(82 * step + 82)])
        model.step(Self.step(step, rates))
      }
      if step == 0 { #expect(model.slots[1] == zip(model.parameters, 0...).map { (77..<80).contains($1) ? 0 : $0 }) }
      guard let row = kept.firstIndex(of: step) else { continue }
      for (ours, theirs) in zip(model.slots[1], Self.padded(expected[(82 * row)..<(82 * row + 82)])) {
        #expect(abs(ours - theirs) < 2e-6 * max(1, abs(theirs)), "step \(step)")
      }
    }
    #expect(bits(model.parameters) == bits(plain.parameters) && bits(model.slots[0]) == bits(plain.slots[0]))
  }

  @Test func twentySteps() throws {
    let file = try openReference("optimizers")
    let gradients = try file.floats("gradients")
    let kept = try file.integers("kept").map { Int($0) }
    let rates = try doubles("rates", of: file)
    let norms = try doubles("norms", of: file)
    for (name, chain) in try Self.chains() {
      let expected = try file.floats(name)
      let layout = Self.layout(withBias: !name.hasSuffix("without-bias"))
      let model = FlatModel(layout, chain, parameters: Self.padded(try file.floats("start")))
      var worst = 0.0
      for step in 0..<20 {
        model.gradient = Self.padded(gradients[(82 * step)..<(82 * step + 82)])
        let norm = model.step(Self.step(step, rates), measuringNorm: true)
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
