import Engine
import Optimizers

/// A server's part of the parameters and slots, and how gradients change it.
struct ServerPart: ~Copyable {
  let elements: Range<Int>
  /// Updates made since the job began.
  private(set) var clock = 0
  private let state: TrainingState
  private let blocks: ArraySlice<UpdateLayout.Block>
  private let runningStatistics: [ParameterLayout.Entry]
  private var update: LocalUpdate

  init(_ part: UpdateLayout.Part, _ state: TrainingState, _ optimizer: Optimizer) {
    (self.elements, self.state) = (part.elements, state)
    runningStatistics = state.layout.entries.filter {
      !$0.parameter.isTrainable && part.elements.contains($0.range.lowerBound)
    }
    blocks = optimizer.layout.blocks[part.blocks]
    update = LocalUpdate(optimizer, stages: [part.blocks])
  }

  var parameters: UnsafeMutablePointer<Float> { state.parameters.pointer + elements.lowerBound }

  /// One update.
  ///
  /// - Parameters:
  ///   - gradient: from the part's first element on.
  ///   - weight: its part of a global batch, in proportion to which running statistics move.
  mutating func apply(_ gradient: FloatBuffer, weight: Double, rate: Double) {
    // The optimizer numbers elements as in the whole vector, and touches none outside its blocks.
    let whole = gradient.pointer - elements.lowerBound
    for entry in runningStatistics {
      updateRunningStatistic(
        UnsafeMutableBufferPointer(rebasing: state.parameters.values[entry.range]),
        towards: UnsafeBufferPointer(start: whole + entry.range.lowerBound, count: entry.range.count),
        momentum: min(1, Float(weight) * entry.parameter.momentum))
    }
    let vectors = UpdateVectors(
      parameters: state.parameters.pointer, gradient: whole, slots: state.slots.map(\.pointer))
    update.step(vectors, at: UpdateStep(number: clock, learningRate: rate))
    clock += 1
  }

  /// `compensateDelay` of a gradient that was computed at the parameters `then`, both from the part's first element on. What a
  /// batch norm has measured is no gradient and stays.
  func compensateDelay(of gradient: FloatBuffer, then: FloatBuffer, by lambda: Float) {
    for block in blocks {
      let first = block.elements.lowerBound - elements.lowerBound
      Training.compensateDelay(
        of: gradient.pointer + first, now: parameters + first, then: then.pointer + first, count: block.elements.count,
        by: lambda)
    }
  }

  /// One meeting of the center with a worker's parameters, both from the part's first element on.
  ///
  /// - Parameter difference: becomes what the worker is to subtract.
  mutating func meet(_ parameters: FloatBuffer, difference: FloatBuffer, rate: Float) {
    meetElastically(
      UnsafePointer(parameters.pointer), center: self.parameters, difference: difference.pointer,
      count: difference.count, rate: rate)
    clock += 1
  }
}

/// g ← g + λ · g ⊙ g ⊙ (now − then): what a gradient would be at the parameters as they are now, where those are not far from the
/// ones that it was computed at (Zheng et al., "Asynchronous stochastic gradient descent with delay compensation", ICML 2017,
/// equation 10).
package func compensateDelay(
  of g: UnsafeMutablePointer<Float>, now: UnsafePointer<Float>, then: UnsafePointer<Float>, count: Int, by lambda: Float
) {
  for index in 0..<count { g[index] += lambda * (g[index] * g[index]) * (now[index] - then[index]) }
}

/// d ← α (x − c), then c ← c + d: the center's half of an elastic meeting. When x is less d too, x + c is what it was, whatever
/// other workers do to c in between.
package func meetElastically(
  _ x: UnsafePointer<Float>, center c: UnsafeMutablePointer<Float>, difference d: UnsafeMutablePointer<Float>,
  count: Int, rate: Float
) {
  for index in 0..<count {
    d[index] = rate * (x[index] - c[index])
    c[index] += d[index]
  }
}
