import Optimizers
import Testing

@Suite struct SliceTests {
  /// Fifteen blocks: whole and partial ones, an empty parameter, one of a single element, and padding.
  static let layout = UpdateLayout([
    ParameterRegion(name: "a", elements: 0..<12_300),
    ParameterRegion(name: "empty", elements: 12_304..<12_304),
    ParameterRegion(name: "one", elements: 12_304..<12_305, decays: false, adapts: false),
    ParameterRegion(name: "b", elements: 12_320..<16_416, decays: false),
    ParameterRegion(name: "c", elements: 16_421..<21_000),
    ParameterRegion(name: "d", elements: 21_000..<45_576, adapts: false),
  ])

  static func chains() throws -> [[GradientTransformation]] {
    try [
      .stochasticGradientDescent(momentum: 0.9, weightDecay: 1e-3),
      .stochasticGradientDescent(momentum: 0.9, nesterov: true, weightDecay: 1e-3, clipNorm: 2),
      .adamW(), .lars(), .lamb(), .adagrad(weightDecay: 1e-3),
      // Every kind of pass in one chain.
      [
        .clipByGlobalNorm(5), .trace(momentum: 0.5), .clipByGlobalNorm(3), .scaleByTrustRatio(decay: 0.01),
        .scaleByLearningRate, .trace(momentum: 0.9, nesterov: true, correctingLearningRate: true),
      ],
    ]
  }

  /// Ranges as buckets are: whole parameters and what lies between them, one of a padding alone.
  static let buckets = [0..<12_300, 12_300..<12_304, 12_304..<21_000, 21_000..<50_000]

  @Test func partsMakeUpTheBucketsAndTheBlocks() {
    for count in 1...16 {
      let parts = Self.buckets.map { bucket in (0..<count).map { Self.layout.part($0, of: count, in: bucket) } }
      #expect(parts.joined().flatMap(\.blocks) == Array(Self.layout.blocks.indices))
      #expect(zip(Self.buckets, parts).allSatisfy { Array($0) == $1.flatMap(\.elements) })
      for part in parts.joined() {
        let elements = Self.layout.blocks[part.blocks].flatMap(\.elements)
        #expect(Set(elements).isSubset(of: part.elements))
        // Blocks are shared evenly.
        let most = parts.map { $0.map(\.blocks.count).max() ?? 0 }
        #expect(zip(parts, most).allSatisfy { parts, most in parts.allSatisfy { most - $0.blocks.count <= 1 } })
      }
    }
  }

  /// Gradients that come bucket by bucket: whatever is updated early, bits and norm are those of an update at once.
  @Test func stagesThatBeginEarlyGiveTheBitsOfTheWhole() throws {
    let stages = Self.buckets.map { Self.layout.part(0, of: 1, in: $0).blocks }
    for (number, chain) in try Self.chains().enumerated() {
      let whole = FlatModel(Self.layout, chain)
      for early in 0...stages.count {
        let average = try ParameterAverage(decay: 0.7)
        let model = FlatModel(Self.layout, chain, average: average, stages: stages)
        let reference = FlatModel(Self.layout, chain, average: average)
        for step in 0..<3 {
          let rates = UpdateStep(number: step, learningRate: 0.1 / Double(step + 1), previousLearningRate: 0.1)
          let gradient = randomValues(Self.layout.count, "gradient", step: step)
          (model.gradient, reference.gradient) = (gradient, gradient)
          let norm = reference.step(rates, measuringNorm: step == 1)
          #expect(model.step(rates, measuringNorm: step == 1, early: early) == norm)
        }
        #expect(bits(model.parameters) == bits(reference.parameters), "chain \(number), \(early) stages")
        #expect(bits(model.slots) == bits(reference.slots), "chain \(number), \(early) stages")
      }
      // Early is early: an element-wise chain has changed the first stage's parameters, another nothing.
      whole.gradient = randomValues(Self.layout.count, "gradient", step: 0)
      let before = whole.parameters
      whole.begin(UpdateStep(number: 0, learningRate: 0.1))
      #expect((whole.parameters != before) == (whole.optimizer.reach == .element), "chain \(number)")
    }
  }

  @Test func blocksCoverTheRegions() {
    let blocks = Self.layout.blocks
    #expect(blocks.count == 14)
    for (index, region) in Self.layout.regions.enumerated() {
      let own = blocks.filter { $0.region == index }
      #expect(own.flatMap(\.elements) == Array(region.elements))
      #expect(own.dropLast().allSatisfy { $0.elements.count == UpdateLayout.blockLength })
      #expect(own.allSatisfy { $0.decays == region.decays && $0.adapts == region.adapts })
    }
    #expect(Self.layout.count == 45_576)
    #expect(UpdateLayout([]).count == 0)
  }

  @Test func everyCutGivesTheBitsOfTheWhole() throws {
    let blocks = Self.layout.blocks.count
    let partitions = (0...blocks).map { [0..<$0, $0..<blocks] } + [(0..<blocks).map { $0..<($0 + 1) }]
    for (number, chain) in try Self.chains().enumerated() {
      let average = number % 2 == 0 ? try ParameterAverage(decay: 0.7) : nil
      let models = (0...partitions.count).map { _ in FlatModel(Self.layout, chain, average: average) }
      for step in 0..<3 {
        let rates = UpdateStep(number: step, learningRate: 0.1 / Double(step + 1), previousLearningRate: 0.1)
        for (index, model) in models.enumerated() {
          model.gradient = randomValues(Self.layout.count, "gradient", step: step)
          if index == 0 { model.step(rates) } else { model.step(rates, slices: partitions[index - 1]) }
        }
      }
      let whole = models[0]
      let wrong = models.indices.filter { index in
        bits(models[index].parameters) != bits(whole.parameters) || bits(models[index].slots) != bits(whole.slots)
      }
      #expect(wrong == [], "chain \(number)")
      #expect(whole.parameters != FlatModel(Self.layout, chain).parameters)
    }
  }

  @Test func onlyRegionsAreTouchedAndOnePassReadsTheGradientOnly() throws {
    let outside = Set(0..<Self.layout.count).subtracting(Self.layout.regions.flatMap(\.elements))
    #expect(outside.count == 4 + 15 + 5)
    for chain in try Self.chains() {
      let model = FlatModel(Self.layout, chain)
      let parameters = model.parameters
      let gradient = randomValues(Self.layout.count, "gradient", step: 0)
      model.gradient = gradient
      model.step(UpdateStep(number: 0, learningRate: 0.1))
      #expect(outside.allSatisfy { model.parameters[$0] == parameters[$0] && model.gradient[$0] == gradient[$0] })
      #expect(outside.allSatisfy { index in model.slots.allSatisfy { $0[index] == 0 } })
      if model.optimizer.passes.count == 1 { #expect(model.gradient == gradient) }
    }
  }

  @Test func aModelWithoutParameters() throws {
    for chain in try Self.chains() {
      let model = FlatModel(UpdateLayout([]), chain)
      model.step(UpdateStep(number: 0, learningRate: 0.1))
      #expect(model.parameters == [])
    }
  }
}

@Suite struct NormTests {
  @Test func normsOfAnyPartitionHaveTheBitsOfTheDefinition() {
    let layout = SliceTests.layout
    let vector = randomValues(layout.count, "vector", step: 0).map { $0 * 1e3 }
    // The definition, literally: sixteen lanes, then the lanes, then the blocks.
    let defined = layout.blocks.map { block in
      var lanes = [Double](repeating: 0, count: 16)
      for (index, element) in block.elements.enumerated() {
        lanes[index % 16] += Double(vector[element]) * Double(vector[element])
      }
      return lanes.reduce(0, +)
    }
    for size in 1...layout.blocks.count {
      var sums = [Double](repeating: .nan, count: layout.blocks.count)
      for start in stride(from: 0, to: sums.count, by: size).reversed() {
        layout.sumSquares(of: vector, blocks: start..<min(start + size, sums.count), into: &sums)
      }
      #expect(sums == defined)
      #expect(layout.norm(sums) == defined.reduce(0, +).squareRoot())
      #expect(layout.norm(of: vector) == layout.norm(sums))
      var norms = [Double](repeating: .nan, count: layout.regions.count)
      layout.regionNorms(sums, into: &norms)
      for (region, norm) in norms.enumerated() {
        let own = zip(layout.blocks, defined).filter { $0.0.region == region }.map(\.1)
        #expect(norm == own.reduce(0, +).squareRoot())
      }
    }
  }

  @Test func notANumberIsShownNotHidden() throws {
    let layout = SliceTests.layout
    let chain = try [GradientTransformation].stochasticGradientDescent(clipNorm: 1)
    for bad in [Float.nan, .infinity] {
      let model = FlatModel(layout, chain)
      model.gradient[20_000] = bad
      let norm = model.step(UpdateStep(number: 0, learningRate: 0.1)) ?? 0
      #expect(!norm.isFinite && norm.isNaN == bad.isNaN)
      #expect(model.parameters[20_000].isNaN)
      // One NaN anywhere is a NaN everywhere; an infinity is scaled to nothing elsewhere.
      #expect(model.parameters[0].isNaN == bad.isNaN)
    }
  }

  @Test func theNormIsMeasuredOnlyWhereAskedForOrNeeded() throws {
    let step = UpdateStep(number: 0, learningRate: 0.1)
    let plain = FlatModel(SliceTests.layout, try .stochasticGradientDescent())
    plain.gradient = plain.gradient.map { _ in 1 }
    #expect(plain.step(step) == nil)
    let elements = SliceTests.layout.regions.map(\.elements.count).reduce(0, +)
    #expect(plain.step(step, measuringNorm: true) == Double(elements).squareRoot())
    let clipped = FlatModel(SliceTests.layout, try .stochasticGradientDescent(clipNorm: 1))
    #expect(clipped.step(step) == 0)
  }

  @Test func largeAndSmallGradientsDoNotOverflow() {
    let layout = UpdateLayout([ParameterRegion(name: "a", elements: 0..<5000)])
    for value in [Float.greatestFiniteMagnitude, .leastNormalMagnitude] {
      let vector = [Float](repeating: value, count: 5000)
      var sums = [0.0, 0.0]
      layout.sumSquares(of: vector, blocks: 0..<2, into: &sums)
      #expect(abs(layout.norm(sums) / (Double(value) * 5000.0.squareRoot()) - 1) < 1e-14)
    }
  }
}
