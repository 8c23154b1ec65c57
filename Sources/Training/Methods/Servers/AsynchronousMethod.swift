import Engine
import MPI
import Optimizers

/// Training beside servers: the last ranks of the job are servers, the others compute gradients, each at its own pace within a
/// segment.
///
/// What is trained depends on what arrives when, so that no two runs have the same bits. At the end of a segment every rank has
/// the parameters of all servers.
final class AsynchronousMethod: TrainingMethod {
  let ranks: ServerRanks
  private(set) var report = AsynchronousReport()
  /// By this rank, and by the one that sends most.
  private(set) var traffic = MethodTraffic()
  private var sentBytes: [Int]
  private let world: Communicator
  private let state: TrainingState
  private let policy: ServerPolicy
  private let server: ParameterServer?
  private let worker: AsynchronousWorker?

  /// Collective.
  ///
  /// - Parameters:
  ///   - activity: of this rank, for the watchdog.
  ///   - makeStrategy: called on workers, with the ranks that messages go between.
  init(
    _ world: Communicator, _ ranks: ServerRanks, _ policy: ServerPolicy, _ vectors: RunVectors, _ optimizer: Optimizer,
    activity: @escaping () -> Activity, makeStrategy: (Communicator) throws -> any WorkerStrategy
  ) throws {
    let own = try world.duplicate()
    (self.world, self.ranks, self.policy, state) = (own, ranks, policy, vectors.state)
    sentBytes = Array(repeating: 0, count: world.size)
    if let number = ranks.server(world.rank) {
      worker = nil
      server = try ParameterServer(
        own, policy, ranks.parts[number], vectors.state, optimizer, workers: ranks.workers, activity: activity)
    } else {
      server = nil
      worker = AsynchronousWorker(ServerLine(own, ranks), try makeStrategy(own))
    }
  }

  /// What all ranks did in a segment, summed up, and the global steps that it took. Collective.
  func run(
    _ segment: Segment, _ computation: AsynchronousWorker.Computation, meets: () -> Void,
    step: (_ number: Int) -> UpdateStep
  ) throws -> SegmentTally {
    var own =
      try server?.serve(segment) ?? worker?.work(segment, computation, step: step) ?? SegmentTally()
    own.wantsToStop = own.wantsToStop || computation.wantsToStop()
    meets()
    let numbers = try world.allGather(own.numbers)
    let tallies = (0..<world.size).map { rank in
      SegmentTally(numbers[SegmentTally.count * rank..<SegmentTally.count * (rank + 1)])
    }
    let staleness = try world.allGatherVarying(server?.staleness ?? worker?.strategy.staleness ?? [])
    try world.allGather(inPlace: state.parameters.values, parts: ranks.partsOfRanks)
    if !policy.isElastic { worker?.line.clocks = tallies[ranks.workers...].map(\.clock) }

    for (rank, tally) in tallies.enumerated() { sentBytes[rank] += tally.sentBytes }
    traffic = MethodTraffic(sent: sentBytes[world.rank], modelled: sentBytes.max() ?? 0)
    var total = SegmentTally()
    for tally in tallies {
      total.loss += tally.loss
      total.correct += tally.correct
      total.samples += tally.samples
      total.droppedSamples += tally.droppedSamples
      total.wantsToStop = total.wantsToStop || tally.wantsToStop
    }
    let norms = tallies.map(\.squaredNorm).filter { $0 != 0 }
    total.squaredNorm = norms.reduce(0, +) / Double(max(norms.count, 1))
    total.steps = tallies[ranks.workers].steps
    report.add(tallies, staleness: staleness, ranks)
    report.step = segment.steps.lowerBound + total.steps
    return total
  }

  var text: String {
    if policy == .coordinate { return "none · rank \(ranks.workers) is the coordinator and keeps no parameters" }
    let shares = ranks.parts.map { grouped($0.elements.count) }
    return "none · rank\(ranks.servers == 1 ? "" : "s") \(ranks.workers)"
      + (ranks.servers == 1 ? " keeps" : "–\(ranks.workers + ranks.servers - 1) keep")
      + " the \(policy.isElastic ? "center" : "parameters") (\(shares.joined(separator: " + ")) elements)"
  }

  func startShards() { worker?.strategy.startShard() }
  func parameters(ofHosted index: Int) -> UnsafePointer<Float> { UnsafePointer(state.parameters.pointer) }
  func takesOwnMean(at step: Int) -> Bool { true }

  func exchange(
    at step: UpdateStep, _ samples: BatchSamples, measuringNorm: Bool, enter: (StepTimes.Phase) -> Void
  ) throws { preconditionFailure("an asynchronous method takes whole segments") }

  /// Gives every rank the servers' slots, or where there are none the mean of workers: parameters of servers are there since the
  /// end of the segment.
  func settle(after step: Int) throws {
    if policy.keepsSlots {
      for slot in state.slots { try world.allGather(inPlace: slot.values, parts: ranks.partsOfRanks) }
    }
    guard policy == .coordinate, step > 0 else { return }
    let mean = state.parameters
    if let strategy = worker?.strategy {
      mean.pointer.update(from: strategy.parameters, count: mean.count)
      scale(mean, by: strategy.share)
    } else {
      mean.values.update(repeating: 0)
    }
    try world.allReduce(mean.values, .sum)
  }
}
