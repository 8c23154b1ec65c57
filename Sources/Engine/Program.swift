import CKernels
import COneDNN
import Determinism
import Foundation
import Networks

/// What a program computed beside gradients.
public struct LossSums: Sendable, Hashable {
  /// Σ of the samples' cross-entropies.
  public var loss: Double
  /// Samples whose largest logit is their label's.
  public var correct: Int
  public init(loss: Double = 0, correct: Int = 0) { (self.loss, self.correct) = (loss, correct) }
}

/// A plan with its code generated and its memory bound: runs one batch size on one thread, and allocates nothing then.
package final class Program {
  /// What differs from run to run.
  package struct Inputs {
    var parameters: UnsafePointer<Float>
    /// Where the gradients go, a flat vector; evaluation has none.
    var gradients: UnsafeMutablePointer<Float>?
    /// The images, and in tests whatever else a graph takes.
    var externals: [UnsafePointer<Float>]
    var labels: UnsafePointer<Int32>
    /// The samples' numbers in the data set, by which dropout is keyed.
    var sampleIDs: UnsafePointer<UInt32>?
    /// What a sample's gradient is multiplied by: 1 ÷ samples of the global batch.
    package var gradientScale: Double = 0
    /// Samples of this run ÷ samples of the global batch: the weight of these running statistics.
    package var statisticsWeight: Double = 0
    var epoch: UInt32 = 0
    var step: UInt32 = 0
    /// Told of each part of `announce(parts:)` when its gradients are final and its parameters are read no more.
    package var isFree: ((Int) -> Void)?

    package init(
      parameters: UnsafePointer<Float>, gradients: UnsafeMutablePointer<Float>?, externals: [UnsafePointer<Float>],
      labels: UnsafePointer<Int32>
    ) {
      (self.parameters, self.gradients, self.externals, self.labels) = (parameters, gradients, externals, labels)
    }
  }

  private let plan: Plan
  private let arena: UnsafeMutableRawPointer
  private let streams: [String: RandomStream]
  /// Kernels with arguments that move with the run's inputs.
  private var parameterBindings: [(Kernel, odn_argument, Int)] = []
  private var gradientBindings: [(Kernel, odn_argument, Int)] = []
  private var externalBindings: [(Kernel, odn_argument, Int)] = []
  private var bound: Inputs?
  /// Parts of the flat vectors that are free after a step, in the order of steps and of parts.
  private var freeParts: [(step: Int, part: Int)] = []
  /// Nanoseconds of each step, added up over runs; nil unless asked for.
  var profile: [UInt64]?

  /// Generates the code, on the thread that will run it.
  /// - Parameter arena: at least `plan.arenaBytes`, aligned to 64 bytes, the thread's own.
  package init(_ plan: Plan, arena: UnsafeMutableRawPointer, seed: UInt64) throws {
    self.plan = plan
    self.arena = arena
    var streams: [String: RandomStream] = [:]
    for step in plan.steps {
      switch step.instruction {
      case .kernel(let kernel, let bindings):
        try kernel.build()
        for binding in bindings {
          switch binding.location {
          case .arena(let storage): try kernel.bind(binding.argument, to: arena + plan.offsets[storage])
          case .parameters(let offset): parameterBindings.append((kernel, binding.argument, offset))
          case .gradients(let offset): gradientBindings.append((kernel, binding.argument, offset))
          case .external(let index): externalBindings.append((kernel, binding.argument, index))
          }
        }
      case .dropout(_, _, _, _, let layer, _): streams[layer] = RandomStream(seed: seed, purpose: "dropout/" + layer)
      default: break
      }
    }
    self.streams = streams
  }

  var steps: [Plan.Step] { plan.steps }
  /// Where the number of the step at hand is stored, for whoever looks.
  var place: UnsafeMutablePointer<UInt>?

  /// From now on a run says when each part is free.
  ///
  /// - Parameter parts: ranges of the flat vectors; each is free no earlier than those before it.
  package func announce(parts: [Range<Int>], _ layout: ParameterLayout) {
    var step = 0
    freeParts = parts.enumerated().map { index, part in
      for (parameter, last) in plan.freeAfter where layout[parameter: parameter].range.overlaps(part) {
        step = max(step, last)
      }
      return (step, index)
    }
  }

  package func run(_ inputs: Inputs) throws -> LossSums {
    try bind(inputs)
    var sums = LossSums()
    var nextPart = 0
    for (index, step) in plan.steps.enumerated() {
      if let place { ck_flag_raise(place, UInt(index)) }
      if profile == nil {
        try run(step.instruction, inputs, &sums)
      } else {
        let start = DispatchTime.now().uptimeNanoseconds
        try run(step.instruction, inputs, &sums)
        profile?[index] += DispatchTime.now().uptimeNanoseconds - start
      }
      guard let isFree = inputs.isFree else { continue }
      while nextPart < freeParts.count, freeParts[nextPart].step == index {
        isFree(freeParts[nextPart].part)
        nextPart += 1
      }
    }
    return sums
  }

  /// The elements of a value that the plan kept, row-major.
  package func standardValues(of value: Graph.ValueID, count: Int, shape: [Int], _ inputs: Inputs) throws -> [Float] {
    guard let (location, layout) = plan.kept[value] else { preconditionFailure("value \(value.index) was not kept") }
    return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let base = buffer.baseAddress else { return }
      try Layout.reorder(from: layout, pointer(location, inputs), to: .plain(shape), base)
      initialized = count
    }
  }

  /// Moves the arguments that lie elsewhere than in the last run. Kernels write to gradients only.
  private func bind(_ inputs: Inputs) throws {
    if bound?.parameters != inputs.parameters {
      let base = UnsafeMutablePointer(mutating: inputs.parameters)
      for (kernel, argument, offset) in parameterBindings { try kernel.bind(argument, to: base + offset) }
    }
    if let base = inputs.gradients, bound?.gradients != base {
      for (kernel, argument, offset) in gradientBindings { try kernel.bind(argument, to: base + offset) }
    }
    if bound?.externals != inputs.externals {
      for (kernel, argument, index) in externalBindings {
        try kernel.bind(argument, to: UnsafeMutableRawPointer(mutating: inputs.externals[index]))
      }
    }
    bound = inputs
  }

  private func pointer(_ location: Plan.Location, _ inputs: Inputs) -> UnsafeMutablePointer<Float> {
    switch location {
    case .arena(let storage): return (arena + plan.offsets[storage]).assumingMemoryBound(to: Float.self)
    case .parameters(let offset): return UnsafeMutablePointer(mutating: inputs.parameters) + offset
    case .gradients(let offset):
      guard let base = inputs.gradients else { preconditionFailure("a training program needs room for gradients") }
      return base + offset
    case .external(let index): return UnsafeMutablePointer(mutating: inputs.externals[index])
    }
  }

  /// A function of its own, because a `memset` that ends a throwing function is compiled (Swift 6.3, x86-64) to a jump that
  /// leaves the register of the error as it is: the caller sees an error that nobody threw.
  @inline(never)
  private static func clear(_ memory: UnsafeMutableRawPointer, _ bytes: Int) { memset(memory, 0, bytes) }

  private func run(_ instruction: Plan.Instruction, _ inputs: Inputs, _ sums: inout LossSums) throws {
    switch instruction {
    case .kernel(let kernel, _): try kernel.run()
    case .own(let kernel, let scratch):
      kernel.run(scratch: scratch.map { pointer($0, inputs) } ?? arena.assumingMemoryBound(to: Float.self)) {
        UnsafeMutableRawPointer(pointer($0, inputs))
      }
    case .loss(let logits, let gradient, let samples, let classes, let smoothing):
      let result = ck_softmax_cross_entropy(
        pointer(logits, inputs), inputs.labels, samples, classes, smoothing, inputs.gradientScale,
        gradient.map { pointer($0, inputs) })
      sums.loss += result.loss
      sums.correct += result.correct
    case .dropout(let source, let destination, let samples, let features, let layer, let probability):
      guard let ids = inputs.sampleIDs, let stream = streams[layer] else {
        preconditionFailure("dropout without sample numbers")
      }
      ck_dropout(
        pointer(source, inputs), pointer(destination, inputs), samples, features, ids, stream.key, inputs.step,
        inputs.epoch, UInt32(Double(probability) * 0x1p32), 1 / (1 - probability))
    case .clear(let place, let bytes): Self.clear(pointer(place, inputs), bytes)
    case .statistics(let mean, let variance, let toMean, let toVariance, let channels, let samples):
      let unbiased = Double(samples) / Double(max(samples - 1, 1)) * inputs.statisticsWeight
      let (fromMean, fromVariance) = (pointer(mean, inputs), pointer(variance, inputs))
      let (meanSum, varianceSum) = (pointer(toMean, inputs), pointer(toVariance, inputs))
      for channel in 0..<channels {
        meanSum[channel] = Float(Double(fromMean[channel]) * inputs.statisticsWeight)
        varianceSum[channel] = Float(Double(fromVariance[channel]) * unbiased)
      }
    }
  }
}
