import Datasets
import Engine
import Optimizers

/// Asynchronous methods: several steps at a time, within which ranks are not in step.
extension Trainer {
  /// The step, from 1, up to which the next call of the method goes: one further, or for an asynchronous method as far as nothing
  /// is to be done by all ranks together.
  func nextMeeting(before end: Int, _ actions: RunActions) -> Int {
    let next = state.position.step + 1
    guard method is AsynchronousMethod else { return next }
    return (next...end).first { number in
      number == 1 || number == end || number % actions.logEvery == 0 || number % plan.stepsPerEpoch == 0
        || [actions.checkEvery, actions.evaluateEvery].contains { $0.map { number % $0 == 0 } ?? false }
        || actions.savesByNumber(number)
    } ?? end
  }

  /// The steps up to one that is counted from 1. Collective.
  func segment(
    _ method: AsynchronousMethod, _ reader: PartReader, to end: Int, measuringNorm: Bool, wantsToSave: Bool
  ) throws -> StepResult {
    let segment = Segment(steps: state.position.step..<end, shards: resources.shards)
    activity[.step] = UInt64(state.position.step)
    activity.enter(.serving)
    let computation = AsynchronousWorker.Computation(
      gradient: { ticket, parameters in try self.computePart(segment, ticket, parameters, reader) },
      wantsToStop: wantsToStop, isOver: { self.clock.isOver },
      enter: { self.enter($0) }, waits: { self.activity.enter(.awaitingServers) })
    let total = try method.run(
      segment, computation, meets: { self.meetAfterSegment() },
      step: { UpdateStep($0, of: self.learningRates) })
    enter(nil)
    state.position.step += total.steps
    let last = state.position.step - 1
    // A save that was due at a later step is not due yet.
    let isWhole = state.position.step == end
    let saves = isWhole ? try world.allReduce(wantsToSave ? 1 : 0, .maximum) == 1 : false
    let isOver = try world.allReduce(clock.isOver ? 1 : 0, .maximum) == 1
    let norm = measuringNorm || isOver ? total.squaredNorm.squareRoot() : .nan
    return StepResult(
      steps: total.steps, epoch: last / plan.stepsPerEpoch, samples: total.samples - total.droppedSamples,
      loss: total.loss / Double(max(total.samples, 1)), correct: total.correct, gradientNorm: norm,
      learningRate: learningRates.rate(at: last), wishes: Wishes(stop: total.wantsToStop, save: saves, finish: isOver),
      gradientDigests: nil)
  }

  /// Whoever waits here waits for the end of the segment, which no turn has.
  private func meetAfterSegment() {
    enter(nil)
    turns.end(times)
    enter(.communication)
    activity.enter(.exchanging)
  }

  /// The mean gradient of a ticket's samples, at a worker's parameters.
  private func computePart(
    _ segment: Segment, _ ticket: Int, _ parameters: UnsafePointer<Float>, _ reader: PartReader
  ) throws -> (sums: LossSums, samples: Int, batch: Int) {
    enter(.data)
    turns.end(times)
    let step = segment.step(of: ticket)
    let batch = try classifying { try reader.read(globalStep: step, shard: segment.shard(of: ticket)) }
    let part = batch.shards[0]
    enter(.compute)
    activity[.step] = UInt64(step)
    let work = Executor.ShardWork(
      images: part.images, labels: part.labels, sampleIDs: part.ids, batches: recipe.microBatches(part.count),
      gradients: vectors.shardGradients[0].pointer, globalBatch: max(part.count, 1), epoch: batch.epoch,
      step: batch.step)
    let sums = try executor.computeGradients(parameters: parameters, [work])
    delay?.wait(rank: world.rank, turn: ticket + segment.shards * segment.steps.lowerBound)
    return (sums[0], part.count, batch.sampleCount)
  }

  /// Reads parts of batches in any order.
  func makePartReader() -> PartReader {
    PartReader(
      source: data.train, plan: plan, normalisation: data.normalisation,
      augmentation: Augmentation(recipe.augmentation, seed: recipe.seed), of: resources.shards)
  }
}
