import CKernels
import Foundation
import Networks

/// What one thread of the pool owns: its programs and their memory. Used by that thread only.
final class Worker: @unchecked Sendable {  // Job i runs on worker i mod count, so no two threads meet here.
  private var training: [Int: Program] = [:]
  private var evaluation: [Int: Program] = [:]
  private var largest = 0
  private var arena: FloatBuffer?
  /// The gradients of micro-batches after a shard's first.
  private var microGradients: FloatBuffer?
  private var images: FloatBuffer?
  private var labels: [Int32] = []
  private var imageCount = 0
  private var parts: [Range<Int>] = []
  private var partsOfBlock: (Int) -> [Int] = { [$0] }
  private(set) var planText = ""
  private(set) var choices: [String: Set<Plan.Place>] = [:]
  private(set) var arenaBytes = 0

  typealias Plans = [(batch: Int, isTraining: Bool, plan: Plan)]

  /// The plans of all programs, for teams of the size of the calling thread's.
  static func plans(
    _ configuration: Executor.Configuration, _ layout: ParameterLayout, training: [Int], evaluation: [Int]
  ) throws -> Plans {
    let network = configuration.network
    func plan(_ graph: Graph) throws -> Plan {
      try Planner.plan(
        graph, parameterLayout: layout, choice: configuration.kernelChoice, precision: configuration.precision,
        recomputation: configuration.recomputation)
    }
    var plans: Plans = []
    for batch in training {
      let graph = network.traced(batchSize: batch).training(labelSmoothing: configuration.labelSmoothing)
      plans.append((batch, true, try plan(graph)))
    }
    for batch in evaluation {
      plans.append((batch, false, try plan(network.traced(batchSize: batch).inference())))
    }
    return plans
  }

  static func text(_ plans: Plans) -> String {
    plans.map { "\($0.isTraining ? "training" : "evaluation") \($0.batch)\n" + $0.plan.text.joined(separator: "\n") }
      .joined(separator: "\n")
  }

  /// Plans and generates all programs, on the worker's own thread.
  func prepare(
    _ configuration: Executor.Configuration, _ layout: ParameterLayout, training: [Int], evaluation: [Int]
  ) throws {
    let plans = try Self.plans(configuration, layout, training: training, evaluation: evaluation)
    arenaBytes = plans.map(\.plan.arenaBytes).max() ?? 0
    let arena = try FloatBuffer(count: arenaBytes / MemoryLayout<Float>.stride + 1)
    self.arena = arena
    for (batch, isTraining, plan) in plans {
      let program = try Program(plan, arena: arena.pointer, seed: configuration.seed)
      if isTraining { self.training[batch] = program } else { self.evaluation[batch] = program }
    }
    planText = Self.text(plans)
    choices = plans.reduce(into: [:]) { $0.merge($1.plan.choices) { $0.union($1) } }
    largest = training.first ?? 0
    imageCount = configuration.network.input.count
    partsOfBlock = configuration.evaluationParts
    if let most = evaluation.first {
      images = try FloatBuffer(count: most * imageCount)
      labels = [Int32](repeating: 0, count: most)
    }
  }

  /// From now on `computeGradients` says when parts of the flat vectors are free.
  func announce(parts: [Range<Int>], _ layout: ParameterLayout) {
    self.parts = parts
    for program in training.values { program.announce(parts: parts, layout) }
  }

  func publishPlace(in word: UnsafeMutablePointer<UInt>) {
    for program in training.values { program.place = word }
    for program in evaluation.values { program.place = word }
  }

  /// Operation and layer of each step of the largest training program.
  var stepNames: [String] { training[largest]?.steps.map { "\($0.operation) \($0.layer)" } ?? [] }

  /// - Parameter isFree: told of each part of `announce` in turn.
  func computeGradients(
    _ parameters: UnsafePointer<Float>, _ work: Executor.ShardWork, count: Int, isFree: ((Int) -> Void)?
  ) throws -> LossSums {
    if work.batches.isEmpty {
      // A shard without samples contributes +0 everywhere.
      memset(work.gradients, 0, count * MemoryLayout<Float>.stride)
      if let isFree { parts.indices.forEach(isFree) }
      return LossSums()
    }
    var sums = LossSums()
    var done = 0
    for (index, batch) in work.batches.enumerated() {
      guard let program = training[batch] else { preconditionFailure("no program for a batch of \(batch)") }
      let isFirst = index == 0
      if !isFirst && microGradients == nil { microGradients = try FloatBuffer(count: count, skew: 3264) }
      let gradients = isFirst ? work.gradients : microGradients?.pointer
      var inputs = Program.Inputs(
        parameters: parameters, gradients: gradients, externals: [work.images + done * imageCount],
        labels: work.labels + done)
      inputs.sampleIDs = work.sampleIDs + done
      inputs.gradientScale = 1 / Double(work.globalBatch)
      inputs.statisticsWeight = Double(batch) / Double(work.globalBatch)
      inputs.epoch = UInt32(work.epoch)
      inputs.step = UInt32(work.step)
      if let isFree, index == work.batches.count - 1 {
        inputs.isFree =
          isFirst
          ? isFree
          : { [parts] part in
            if let gradients {
              let range = parts[part]
              ck_accumulate(work.gradients + range.lowerBound, gradients + range.lowerBound, range.count)
            }
            isFree(part)
          }
      }
      let part = try program.run(inputs)
      if let gradients, !isFirst, inputs.isFree == nil { ck_accumulate(work.gradients, gradients, count) }
      sums.loss += part.loss
      sums.correct += part.correct
      done += batch
    }
    return sums
  }

  func evaluate(
    _ parameters: UnsafePointer<Float>, _ block: Range<Int>,
    _ fill: (Range<Int>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Int32>) throws -> Void
  ) throws -> LossSums {
    guard let images else { preconditionFailure("no program for evaluation") }
    var sums = LossSums()
    var start = block.lowerBound
    try labels.withUnsafeMutableBufferPointer { labels in
      guard let base = labels.baseAddress else { return }
      for count in partsOfBlock(block.count) {
        guard let program = evaluation[count] else { preconditionFailure("no program for \(count) samples") }
        try fill(start..<start + count, images.pointer, base)
        let part = try program.run(
          Program.Inputs(parameters: parameters, gradients: nil, externals: [images.pointer], labels: base))
        sums.loss += part.loss
        sums.correct += part.correct
        start += count
      }
    }
    return sums
  }

  func startProfile() {
    for program in training.values { program.profile = [UInt64](repeating: 0, count: program.steps.count) }
  }

  func profile() -> [(operation: String, layer: String, milliseconds: Double)] {
    guard let program = training[largest], let times = program.profile else { return [] }
    return zip(program.steps, times).map { ($0.operation, $0.layer, Double($1) / 1e6) }
  }
}
