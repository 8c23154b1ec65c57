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
final class StochasticPush: TrainingMethod {
  private let world: Communicator
  private let placement: Placement
  private let state: TrainingState
  private let mean: ShardMean
  private var shards: LocalShards
  /// Where the other half arrives, of each hosted shard: the gradients' memory, which are done with then.
  private let arrivals: [FloatBuffer]
  private var requests: RequestPool
  private var steps = 0
  /// Bytes to other ranks.
  private var pushed = 0

  init(
    _ world: Communicator, _ placement: Placement, _ mean: ShardMean, _ vectors: RunVectors, _ optimizer: Optimizer
  ) throws {
    self.world = try world.duplicate()
    (self.placement, self.mean) = (placement, mean)
    state = vectors.state
    shards = LocalShards(vectors, optimizer)
    arrivals = vectors.shardGradients
    requests = RequestPool(capacity: 2 * arrivals.count)
  }

  var traffic: MethodTraffic {
    MethodTraffic(sent: mean.traffic.sent + pushed, modelled: mean.traffic.modelled + 4 * state.layout.count * steps)
  }
  func startShards() { shards.start() }
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(shards.parameters[index].pointer) }
  func takesOwnMean(at step: Int) -> Bool { true }
  var squaredNorms: [Double] { shards.squaredNorms }
  func companion(at step: UpdateStep) -> Executor.Companion? { nil }
  func takeHidden() -> UInt64 { 0 }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws {
    enter(.update)
    for (index, count) in samples.hosted.enumerated() where count > 0 {
      shards.update(index, at: step, measuringNorm: measuringNorm)
    }
    let hop = ExponentialGraph.hop(at: step.number, shards: placement.shards)
    guard hop > 0 else { return }
    enter(.communication)
    steps += 1
    let hosted = state.shards.shards
    for (index, shard) in hosted.enumerated() {
      let source = (shard + placement.shards - hop) % placement.shards
      let from = placement.rank(of: source)
      if from == world.rank {
        arrivals[index].assign(from: shards.parameters[source - hosted.lowerBound])
      } else {
        try requests.receive(arrivals[index].pointer, count: arrivals[index].count, from: from, tag: shard, on: world)
      }
      let target = (shard + hop) % placement.shards
      let to = placement.rank(of: target)
      if to != world.rank {
        let own = shards.parameters[index]
        try requests.send(UnsafePointer(own.pointer), count: own.count, to: to, tag: target, on: world)
        pushed += 4 * own.count
      }
    }
    try requests.waitAll()
    enter(.update)
    for (own, other) in zip(shards.parameters, arrivals) { interpolate(own, towards: other, by: 0.5) }
  }

  /// Seldom: shards need only their neighbours. But a signal is not to wait for long.
  func meets(after step: Int) -> Bool { (step + 1) % 16 == 0 }

  func update(at step: UpdateStep, measuringNorm: Bool) -> Double? { nil }

  func settle(after step: Int) throws { state.parameters.assign(from: try mean.of(shards.parameters)) }
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
