import Collectives
import Engine
import MPI
import Optimizers

/// Local methods: every shard trains parameters of its own, and all of them meet every H steps.
///
/// - *Local SGD* (Stich, "Local SGD converges fast and communicates little", 2018): they take their mean. Each shard keeps its
///   own momentum, or takes the mean of those too. *Post-local* (Lin et al., "Don't use large mini-batches, use local SGD",
///   2018) takes the sum of gradients in every step until it begins to work locally, which is synchronous SGD.
/// - *Elastic averaging*, synchronous (Zhang, Choromańska, LeCun, "Deep learning with elastic averaging SGD", 2014, equations 3
///   and 4): each is drawn to a center by α of its distance, and the center to their mean by S·α. The distance is taken before
///   the step's gradient, as there. The run's parameters are the center.
///
/// With H = 1 local SGD sums gradients, and is synchronous SGD to the bit.
final class LocalMethod: TrainingMethod {
  /// What each shard keeps.
  static func shardSlots(_ optimizer: Optimizer) -> [ShardSlot] {
    [ShardSlot(name: "parameters", holdsStatistics: true)] + optimizer.slots.map { ShardSlot(name: $0) }
  }

  /// How shards meet.
  enum Meeting: Hashable {
    case mean(ofMomentum: Bool)
    /// - Parameter rate: α.
    case elastic(rate: Double)
  }

  private let meeting: Meeting
  private let interval: Int
  let synchronousSteps: Int
  private let state: TrainingState
  private let mean: ShardMean
  private var shards: LocalShards
  /// Of an elastic meeting: the hosted shards' parameters before the step.
  private let before: [FloatBuffer]
  /// In which shards added vectors.
  private var meetings = 0

  init(
    _ meeting: Meeting, interval: Int, synchronousSteps: Int, _ mean: ShardMean, _ vectors: RunVectors,
    _ optimizer: Optimizer
  ) throws {
    (self.meeting, self.interval, self.synchronousSteps, self.mean) = (meeting, interval, synchronousSteps, mean)
    state = vectors.state
    shards = LocalShards(vectors, optimizer)
    if case .elastic = meeting {
      before = try vectors.shardGradients.map { try FloatBuffer(count: $0.count) }
    } else {
      before = []
    }
  }

  var traffic: MethodTraffic { MethodTraffic(sent: mean.sentBytes, modelled: meetings * mean.modelledBytes) }
  func startShards() { shards.start() }
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(shards.parameters[index].pointer) }
  var squaredNorms: [Double] { shards.squaredNorms }

  /// H of a step, counted from 0.
  private func interval(at step: Int) -> Int { step < synchronousSteps ? 1 : interval }

  /// Whether shards sum gradients in a step, in place of meeting after it.
  private func sumsGradients(at step: Int) -> Bool {
    if case .elastic = meeting { return step < synchronousSteps }
    return interval(at: step) == 1
  }

  /// Whether shards meet after a step, counted from 0.
  func meets(after step: Int) -> Bool { (step + 1) % interval(at: step) == 0 }

  func takesOwnMean(at step: Int) -> Bool { !sumsGradients(at: step) }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws {
    if sumsGradients(at: step.number) {
      enter(.communication)
      let sum = try mean.sumOfGradients()
      meetings += 1
      enter(.update)
      shards.updateAll(with: sum, at: step, measuringNorm: measuringNorm)
      return
    }
    let meets = meets(after: step.number)
    if meets, case .elastic = meeting {
      enter(.communication)
      for (copy, parameters) in zip(before, shards.parameters) { copy.assign(from: parameters) }
    }
    enter(.update)
    for (index, count) in samples.hosted.enumerated() where count > 0 {
      shards.update(index, at: step, measuringNorm: measuringNorm)
    }
    guard meets else { return }
    enter(.communication)
    switch meeting {
    case .mean(let includesMomentum):
      try meetInTheMean(of: shards.parameters, state.parameters)
      if includesMomentum {
        for slot in state.slots.indices { try meetInTheMean(of: shards.slot(slot), state.slots[slot]) }
      }
    case .elastic(let rate):
      let mean = try mean.of(before)
      meetings += 1
      enter(.update)
      for (parameters, before) in zip(shards.parameters, before) {
        attract(parameters, from: before, to: state.parameters, by: Float(rate))
      }
      interpolate(state.parameters, towards: mean, by: Float(rate * Double(self.mean.shards)))
    }
  }

  private func meetInTheMean(of vectors: [FloatBuffer], _ common: FloatBuffer) throws {
    let mean = try mean.of(vectors)
    meetings += 1
    for vector in vectors { vector.assign(from: mean) }
    common.assign(from: mean)
  }

  func settle(after step: Int) throws {
    // The center, or where all shards are already.
    if case .elastic = meeting { return }
    guard step > 0, !meets(after: step - 1) else { return }
    state.parameters.assign(from: try mean.of(shards.parameters))
  }
}
