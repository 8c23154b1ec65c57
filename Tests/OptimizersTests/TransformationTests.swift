import Optimizers
import Testing

@Suite struct TransformationTests {
  static let layout = UpdateLayout([ParameterRegion(name: "a", elements: 0..<100)])

  @Test func slotsAndReachesOfChains() throws {
    let sgd = Optimizer(Self.layout, try .stochasticGradientDescent(momentum: 0.9, weightDecay: 1e-4))
    #expect(sgd.slots == ["momentum"] && sgd.reach == .element && sgd.passes.count == 1)
    let clipped = Optimizer(Self.layout, try .stochasticGradientDescent(clipNorm: 1))
    #expect(clipped.slots == [] && clipped.reach == .model && clipped.passes.map(\.reach) == [.model])
    let lamb = Optimizer(Self.layout, try .lamb())
    #expect(lamb.slots == ["first-moment", "second-moment"])
    #expect(
      lamb.passes.map(\.reach) == [.element, .parameter] && lamb.passes.map(\.transformations) == [0..<2, 2..<4])
    let twice = Optimizer(Self.layout, [.trace(momentum: 0.9), .trace(momentum: 0.5)])
    #expect(twice.slots == ["momentum", "momentum-2"])
    let empty = Optimizer(Self.layout, [])
    #expect(empty.slots == [] && empty.reach == .element && empty.passes.map(\.transformations) == [0..<0])
  }

  /// Duchi, Hazan, Singer, 2011, element by element; where there was no gradient yet nothing moves.
  @Test func adagradDividesByTheRootOfAllSquares() throws {
    let model = FlatModel(Self.layout, try .adagrad(epsilon: 1e-4, weightDecay: 0))
    #expect(model.optimizer.slots == ["sum-of-squares"] && model.optimizer.reach == .element)
    var (parameters, sums) = (model.parameters.map(Double.init), [Double](repeating: 0, count: 100))
    for number in 0..<4 {
      model.gradient = randomValues(100, "gradient", step: number)
      model.gradient[7] = 0
      model.step(UpdateStep(number: number, learningRate: 0.1))
      for index in 0..<100 {
        let gradient = Double(model.gradient[index])
        sums[index] += gradient * gradient
        parameters[index] -= 0.1 * gradient / (sums[index].squareRoot() + 1e-4)
      }
    }
    #expect(zip(model.parameters, parameters).allSatisfy { abs(Double($0) - $1) < 1e-5 })
    #expect(model.parameters[7] == Float(parameters[7]))
  }

  /// A chain that ends in momentum runs as one loop; behind it a transformation that does nothing keeps it apart.
  @Test(arguments: [0, 0.01], [false, true]) func oneLoopHasTheBitsOfTheChain(_ decay: Double, _ nesterov: Bool) throws
  {
    for clip in [nil, 0.5] {
      let chain = try [GradientTransformation].stochasticGradientDescent(
        momentum: 0.9, nesterov: nesterov, weightDecay: decay, clipNorm: clip)
      let regions = [
        ParameterRegion(name: "weight", elements: 0..<5001),
        ParameterRegion(name: "bias", elements: 5008..<5039, decays: false),
      ]
      let models = [chain, chain + [GradientTransformation(name: "nothing") { _ in }]].map {
        FlatModel(UpdateLayout(regions), $0)
      }
      for number in 0..<3 {
        for model in models {
          model.gradient = randomValues(model.gradient.count, "gradient", step: number)
          model.step(UpdateStep(number: number, learningRate: 0.1 / Double(number + 1)))
        }
      }
      #expect(models[0].parameters.map(\.bitPattern) == models[1].parameters.map(\.bitPattern))
      #expect(models[0].slots == models[1].slots)
    }
  }

  @Test func theEmptyChainSubtractsTheGradient() {
    let model = FlatModel(Self.layout, [])
    let parameters = model.parameters
    model.gradient = randomValues(100, "gradient", step: 0)
    model.step(UpdateStep(number: 0, learningRate: 7))
    #expect(model.parameters == zip(parameters, model.gradient).map { $0 - $1 })
  }

  @Test func aTransformationOfOnesOwn() {
    let sign = GradientTransformation(name: "sign") { block in
      let (update, count) = (block.update, block.count)
      block.rewrite { out in
        for index in 0..<count { out[index] = update[index] > 0 ? 1 : -1 }
      }
    }
    let model = FlatModel(Self.layout, [sign, .scaleByLearningRate])
    let parameters = model.parameters
    model.gradient = randomValues(100, "gradient", step: 0)
    model.step(UpdateStep(number: 0, learningRate: 0.5))
    #expect(model.parameters == zip(parameters, model.gradient).map { $0 - ($1 > 0 ? 0.5 : -0.5) })
  }

  /// Goyal et al., section 3: with the correction, a trace of steps moves the weights as a trace of gradients does.
  @Test func momentumCorrectionMakesTheTwoPlacesOfTheRateEqual() {
    func distance(correcting: Bool, nesterov: Bool = false) -> Float {
      let inside = FlatModel(Self.layout, [.trace(momentum: 0.9, nesterov: nesterov), .scaleByLearningRate])
      let folded = FlatModel(
        Self.layout,
        [.scaleByLearningRate, .trace(momentum: 0.9, nesterov: nesterov, correctingLearningRate: correcting)])
      let rates = [0.0, 0.1, 0.4, 0.4, 0.04, 0.01]
      for step in rates.indices {
        for model in [inside, folded] {
          model.gradient = randomValues(100, "gradient", step: step)
          model.step(
            UpdateStep(number: step, learningRate: rates[step], previousLearningRate: rates[max(step - 1, 0)]))
        }
        // A rate of 0 drops the first gradient from a trace of steps, so the comparison starts afterwards.
        if step == 0 { inside.slots[0] = inside.slots[0].map { _ in 0 } }
      }
      // The trace of gradients times the rate is the trace of steps.
      if correcting {
        let carried = inside.slots[0].map { $0 * Float(rates[rates.count - 1]) }
        #expect(zip(carried, folded.slots[0]).allSatisfy { abs($0 - $1) < 1e-6 })
      }
      return zip(inside.parameters, folded.parameters).map { abs($0 - $1) }.max() ?? 0
    }
    #expect(distance(correcting: true) < 1e-6 && distance(correcting: true, nesterov: true) < 1e-6)
    #expect(distance(correcting: false) > 0.01 && distance(correcting: false, nesterov: true) > 0.01)
  }

  /// As long as the rate stays there is nothing to correct, to the bit.
  @Test(arguments: [false, true]) func atAConstantRateTheCorrectionIsPlainMomentum(_ nesterov: Bool) throws {
    let chains = try [false, true].map { correcting in
      try [
        [.scaleByLearningRate, .trace(momentum: 0.9, nesterov: nesterov, correctingLearningRate: correcting)],
        [GradientTransformation].lars(momentum: 0.9, nesterov: nesterov, correctingMomentum: correcting),
      ]
    }
    for index in 0..<2 {
      let models = chains.map { FlatModel(Self.layout, $0[index]) }
      for step in 0..<5 {
        for model in models {
          model.gradient = randomValues(100, "gradient", step: step)
          model.step(UpdateStep(number: step, learningRate: 0.3))
        }
      }
      #expect(bits(models[0].parameters) == bits(models[1].parameters))
      #expect(bits(models[0].slots) == bits(models[1].slots))
    }
  }

  /// Both forms, which are regions that adapt: of a power of two every bit is the same, of another factor all but rounding.
  @Test(arguments: [false, true]) func trustRatioIgnoresTheScaleOfTheGradient(_ biasAdapts: Bool) throws {
    let layout = UpdateLayout([
      ParameterRegion(name: "weight", elements: 0..<80),
      ParameterRegion(name: "bias", elements: 80..<100, adapts: biasAdapts),
    ])
    func parameters(scale: Float) throws -> [Float] {
      let model = FlatModel(layout, try .lars(weightDecay: 0))
      for step in 0..<3 {
        model.gradient = randomValues(100, "gradient", step: step).map { $0 * scale }
        model.step(UpdateStep(number: step, learningRate: 10))
      }
      return model.parameters
    }
    for (scale, tolerance) in [(Float(4096), Float(0)), (3, 1e-6)] {
      let distances = zip(try parameters(scale: 1), try parameters(scale: scale)).map { abs($0 - $1) }
      #expect(distances[..<80].allSatisfy { $0 <= tolerance })
      // What does not adapt feels the scale.
      #expect(distances[80...].allSatisfy { biasAdapts ? $0 <= tolerance : $0 > 0 })
    }
  }

  @Test func trustRatioIsOneWhereANormIsZero() {
    for (parameters, gradient): (Float, Float) in [(0, 1), (1, 0)] {
      let model = FlatModel(
        Self.layout, [.scaleByTrustRatio(coefficient: 9)], parameters: Array(repeating: parameters, count: 100))
      model.gradient = Array(repeating: gradient, count: 100)
      model.step(UpdateStep(number: 0, learningRate: 1))
      #expect(model.parameters.allSatisfy { $0 == parameters - gradient })
    }
  }

  @Test func settingsThatCannotWork() {
    func text(_ body: () throws -> [GradientTransformation]) -> String {
      do { _ = try body() } catch { return "\(error)" }
      return ""
    }
    #expect(
      text { try .stochasticGradientDescent(momentum: 1) }
        == "--momentum is 1.0; give a number from 0 up to, but not including, 1.")
    #expect(text { try .stochasticGradientDescent(momentum: .nan) }.hasPrefix("--momentum is nan"))
    #expect(text { try .stochasticGradientDescent(weightDecay: -1) }.hasPrefix("--weight-decay is -1.0"))
    #expect(text { try .stochasticGradientDescent(clipNorm: 0) }.hasPrefix("--clip-norm is 0.0"))
    #expect(text { try .stochasticGradientDescent(nesterov: true) }.hasPrefix("--nesterov is given without momentum"))
    for chain in [
      { try [GradientTransformation].stochasticGradientDescent(correctingMomentum: true) },
      { try [GradientTransformation].lars(momentum: 0, correctingMomentum: true) },
    ] { #expect(text(chain).hasPrefix("--momentum-correction is given without momentum")) }
    for decay in [0, 1, -1, .nan] {
      #expect(throws: OptimizerError.self) { try ParameterAverage(decay: decay) }
    }
  }

  @Test func runningStatistics() {
    var running: [Float] = [0, 1, 2]
    running.withUnsafeMutableBufferPointer { running in
      [Float(10), 10, 10].withUnsafeBufferPointer { updateRunningStatistic(running, towards: $0, momentum: 0.25) }
    }
    #expect(running == [2.5, 3.25, 4])
  }
}
