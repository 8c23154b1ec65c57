import Collectives
import Engine
import MPI
import Optimizers

/// Stochastic gradient push (Assran, Loizou, Ballas, Rabbat, "Stochastic gradient push for distributed deep learning", 2019):
/// every shard updates parameters of its own, then keeps half of them and pushes half to one other shard.
///
/// Peers follow the directed exponential graph: in step k shard i sends to shard i + 2^(k mod ⌈log₂ S⌉), modulo S. Each receives
/// from exactly one, so that the weights of the push sum, which start at 1, stay ½ + ½ = 1 and need not be sent: the biased and
/// the unbiased parameters are the same. What is evaluated is the mean over shards.
///
/// With overlap (section 3, with a delay of 1) what a shard sends in step k is mixed in after step k + 1, so that it travels
/// beside the computation between. Weights then are those of `DelayedPushWeight`, the same for all shards, and need not be sent
/// either. Shards keep the unbiased parameters; what is to be mixed in is a part of their state, and of the mean.
final class StochasticPush: TrainingMethod {
  /// What each shard keeps.
  static func shardSlots(_ optimizer: Optimizer, overlaps: Bool) -> [ShardSlot] {
    LocalMethod.shardSlots(optimizer) + (overlaps ? [ShardSlot(name: "arriving", holdsStatistics: true)] : [])
  }

  private let world: Communicator
  private let placement: Placement
  private let state: TrainingState
  private let mean: ShardMean
  private var shards: LocalShards
  private let overlaps: Bool
  /// Where another's parameters arrive, of each hosted shard: with overlap in its state, else in the gradients' memory, which are
  /// done with then.
  private let arrivals: [FloatBuffer]
  /// What is sent: with overlap a copy, which is free once it is away.
  private let departures: [FloatBuffer]
  private var requests: RequestPool
  private var hidden = HiddenTime()
  private var steps = 0
  /// Bytes to other ranks.
  private var pushed = 0

  init(
    _ world: Communicator, _ placement: Placement, _ mean: ShardMean, _ vectors: RunVectors, _ optimizer: Optimizer,
    overlaps: Bool
  ) throws {
    self.world = try world.duplicate()
    (self.placement, self.mean) = (placement, mean)
    state = vectors.state
    shards = LocalShards(vectors, optimizer)
    // With one shard nobody is to be met.
    let overlaps = overlaps && placement.shards > 1
    self.overlaps = overlaps
    let own = state.shards
    arrivals = overlaps ? own.shards.map { own[$0, own.slots.count - 1] } : vectors.shardGradients
    departures = try overlaps ? arrivals.map { try FloatBuffer(count: $0.count) } : shards.parameters
    requests = RequestPool(capacity: 2 * arrivals.count)
  }

  var traffic: MethodTraffic {
    MethodTraffic(sent: mean.sentBytes + pushed, modelled: 4 * state.layout.count * steps)
  }
  func startShards() { shards.start() }
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(shards.parameters[index].pointer) }
  func takesOwnMean(at step: Int) -> Bool { true }
  var squaredNorms: [Double] { shards.squaredNorms }

  /// Makes what is under way go on.
  func companion(at step: UpdateStep) -> Executor.Companion? {
    guard requests.count > 0 else { return nil }
    hidden.start()
    return Executor.Companion(
      isUnderWay: true, isFree: { _ in },
      advance: { [unowned self] in
        let isDone = try requests.testAll()
        if isDone { hidden.stop() }
        return !isDone
      })
  }

  func takeHidden() -> UInt64 { hidden.take() }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws {
    enter(.update)
    let ownStep = overlaps ? step.divided(by: DelayedPushWeight.weight) : step
    for (index, count) in samples.hosted.enumerated() where count > 0 {
      shards.update(index, at: ownStep, measuringNorm: measuringNorm)
    }
    guard placement.shards > 1 else { return }
    steps += 1
    enter(.communication)
    if overlaps {
      // Of the step before.
      try requests.waitAll()
      enter(.update)
      for (copy, own) in zip(departures, shards.parameters) { copy.assign(from: own) }
      mix(by: Float(DelayedPushWeight.share(after: step.number)))
      enter(.communication)
      try push(at: step.number)
    } else {
      try push(at: step.number)
      try requests.waitAll()
      enter(.update)
      mix(by: 0.5)
    }
  }

  private func mix(by share: Float) {
    for (own, other) in zip(shards.parameters, arrivals) { interpolate(own, towards: other, by: share) }
  }

  /// Starts to send to a step's peers and to receive from them.
  private func push(at step: Int) throws {
    let hop = ExponentialGraph.hop(at: step, shards: placement.shards)
    let hosted = state.shards.shards
    for (index, shard) in hosted.enumerated() {
      let source = (shard + placement.shards - hop) % placement.shards
      let from = placement.rank(of: source)
      if from == world.rank {
        arrivals[index].assign(from: departures[source - hosted.lowerBound])
      } else {
        try requests.receive(arrivals[index].pointer, count: arrivals[index].count, from: from, tag: shard, on: world)
      }
      let target = (shard + hop) % placement.shards
      let to = placement.rank(of: target)
      if to != world.rank {
        let copy = departures[index]
        try requests.send(UnsafePointer(copy.pointer), count: copy.count, to: to, tag: target, on: world)
        pushed += 4 * copy.count
      }
    }
  }

  /// Seldom: shards need only their neighbours. But a signal is not to wait for long.
  func meets(after step: Int) -> Bool { (step + 1) % 16 == 0 }

  func settle(after step: Int) throws {
    try requests.waitAll()
    if overlaps {
      let arriving = Float(1 - DelayedPushWeight.weight(after: step))
      for (index, sum) in departures.enumerated() {
        sum.assign(from: shards.parameters[index])
        interpolate(sum, towards: arrivals[index], by: arriving)
      }
    }
    state.parameters.assign(from: try mean.of(departures))
  }
}

/// The weights of a push sum in which halves arrive a step late.
///
/// All shards have the same: w ← ½ w + what was sent in the step before. With what is on its way they are 1, so that w is followed
/// by 1 − ½ w, which begins at 1 and goes to ⅔.
package enum DelayedPushWeight {
  /// w after so many steps: (2 + (−½)ᵏ) ÷ 3.
  package static func weight(after steps: Int) -> Double {
    let power = steps < 60 ? Double(sign: steps % 2 == 0 ? .plus : .minus, exponent: -steps, significand: 1) : 0
    return (2 + power) / 3
  }

  /// The share that what has arrived takes of the unbiased parameters when it is mixed in, at the end of a step counted from 0.
  package static func share(after step: Int) -> Double { (1 - weight(after: step)) / weight(after: step + 1) }
}

extension UpdateStep {
  /// The step for unbiased parameters: gradients are subtracted from parameters times weight.
  ///
  /// - Parameter weight: after so many steps.
  fileprivate func divided(by weight: (_ steps: Int) -> Double) -> UpdateStep {
    UpdateStep(
      number: number, learningRate: learningRate / weight(number),
      previousLearningRate: previousLearningRate / weight(max(number - 1, 0)))
  }
}

/// The directed exponential graph with one peer a step.
package enum ExponentialGraph {
  /// How many shards on the one is that is sent to in a step; 0 where there is only one shard.
  package static func hop(at step: Int, shards: Int) -> Int {
    guard shards > 1 else { return 0 }
    return (1 << (step % distances(shards))) % shards
  }

  /// All of them, in the order of the steps.
  static func hops(shards: Int) -> [Int] { (0..<distances(shards)).map { hop(at: $0, shards: shards) } }

  /// ⌈log₂ S⌉.
  private static func distances(_ shards: Int) -> Int { (shards - 1).bitWidth - (shards - 1).leadingZeroBitCount }
}
