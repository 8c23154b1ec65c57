import Foundation
import TestSupport
import Testing

/// Steps of methods with real gradients beside what plain runs and a few lines of arithmetic make of the same samples.
@Suite(.serialized) struct MethodReferenceTests {
  private static let optimizer = ["--learning-rate", "0.05", "--momentum", "0.9", "--weight-decay", "0.001"]

  private func mean(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).map { ($0 + $1) / 2 } }

  /// The start, and what each of two shards makes of it by itself.
  private struct Alone {
    let start: [Float]
    let shards: [StoredStates]

    init(_ data: SplitData, _ optimizer: [String]) throws {
      let still = try data.train("still", optimizer + ["--learning-rate", "1e-30"])
      start = try still.vector(StoredVector.parameters, after: 1)
      shards = try (0..<2).map { try data.trainShard($0, optimizer) }
    }

    func parameters(_ shard: Int, after step: Int) throws -> [Float] {
      try shards[shard].vector(StoredVector.parameters, after: step)
    }

    func momentum(_ shard: Int, after step: Int) throws -> [Float] {
      try shards[shard].vector(StoredVector.momentum, after: step)
    }
  }

  @Test func localStepsEndInTheMeanOfRunsByThemselves() throws {
    let data = try SplitData(shards: 2, steps: 2)
    let alone = try Alone(data, Self.optimizer)
    let expected = try mean(alone.parameters(0, after: 2), alone.parameters(1, after: 2))
    #expect(try distance(alone.parameters(0, after: 2), alone.parameters(1, after: 2)) > 1e-3, "shards part")
    let method = Self.optimizer + ["--method", "local", "--local-steps", "2"]
    for (momentum, ranks) in [("keep", Launch.alone), ("average", .ranks(2))] {
      let local = try data.train(momentum, method + ["--local-momentum", momentum], ranks)
      #expect(try distance(local.vector(StoredVector.parameters, after: 2), expected) < 1e-6, "\(momentum)")
      let kept = try (0..<2).map { try local.vector(StoredVector.shard($0, "momentum"), after: 2) }
      let own = try (0..<2).map { try alone.momentum($0, after: 2) }
      #expect(distance(own[0], own[1]) > 1e-3)
      let wanted = momentum == "keep" ? own : [mean(own[0], own[1]), mean(own[0], own[1])]
      for shard in 0..<2 { #expect(distance(kept[shard], wanted[shard]) < 1e-6, "\(momentum), shard \(shard)") }
    }
  }

  /// x ← x − η g − α (x − c) and c ← c + α Σ (x − c), with both distances from before the step; with Nesterov's momentum it is
  /// EAMSGD.
  @Test(arguments: [[], ["--nesterov"]]) func elasticAveragingIsItsFormula(_ form: [String]) throws {
    let data = try SplitData(shards: 2, steps: 2)
    let alone = try Alone(data, Self.optimizer + form)
    let rate: Float = 0.3
    let easgd = try data.train(
      "easgd", Self.optimizer + form + ["--method", "easgd", "--local-steps", "2", "--elastic-rate", "\(rate)"])
    var center = alone.start
    for shard in 0..<2 {
      let before = try alone.parameters(shard, after: 1)
      let difference = zip(before, alone.start).map { rate * ($0 - $1) }
      let expected = try zip(alone.parameters(shard, after: 2), difference).map { $0 - $1 }
      let found = try easgd.vector(StoredVector.shard(shard, "parameters"), after: 2)
      #expect(distance(found, expected) < 1e-6, "shard \(shard)")
      center = zip(center, difference).map { $0 + $1 }
    }
    #expect(try distance(easgd.vector(StoredVector.parameters, after: 2), center) < 1e-6)
    #expect(distance(center, alone.start) > 1e-3)
  }

  /// Two shards that push half of themselves to each other are at their mean.
  @Test func stochasticPushMixesRunsByThemselves() throws {
    let data = try SplitData(shards: 2, steps: 1)
    let alone = try Alone(data, Self.optimizer)
    let expected = try mean(alone.parameters(0, after: 1), alone.parameters(1, after: 1))
    let push = try data.train("push", Self.optimizer + ["--method", "stochastic-push"], .ranks(2))
    for shard in 0..<2 {
      #expect(try distance(push.vector(StoredVector.shard(shard, "parameters"), after: 1), expected) < 1e-6)
    }
    #expect(try distance(expected, alone.parameters(0, after: 1)) > 1e-3)
  }

  /// Parameters and momentum, to rounding.
  private func expectToAgree(_ found: StoredStates, _ expected: StoredStates, after step: Int) throws {
    for name in [StoredVector.parameters, StoredVector.momentum] {
      #expect(try distance(found.vector(name, after: step), expected.vector(name, after: step)) < 1e-5, "\(name)")
    }
  }

  /// Without backup workers every gradient of a step is in its mean.
  @Test func backupWorkersTakeTheMeanGradient() throws {
    let data = try SplitData(shards: 3, steps: 4)
    let synchronous = try data.train("synchronous", Self.optimizer)
    let servers = try data.train(
      "servers", Self.optimizer + ["--method", "backup-workers", "--backup", "0"], .ranks(4))
    try expectToAgree(servers, synchronous, after: 4)
  }

  /// One worker that pushes a batch's parts together is accumulation; one that goes along its own gradients between pushes is
  /// SGD of smaller batches, where there is no momentum.
  @Test func gradientsThatArePushedTogetherAreTheirMean() throws {
    let data = try SplitData(shards: 3, steps: 4)
    let synchronous = try data.train("synchronous", Self.optimizer)
    let pushed = try data.train(
      "pushed", Self.optimizer + ["--method", "downpour", "--push-every", "3"], .ranks(2))
    try expectToAgree(pushed, synchronous, after: 4)

    let single = try SplitData(shards: 1, steps: 5)
    let plain = ["--learning-rate", "0.05", "--momentum", "0", "--weight-decay", "0"]
    let steps = try single.train("steps", plain)
    // States are kept where segments end: not within a push.
    let fetched = try single.train(
      "fetched",
      plain + ["--method", "downpour", "--push-every", "2", "--fetch-every", "2", "--save-every", "5"], .ranks(2))
    #expect(
      try distance(
        fetched.vector(StoredVector.parameters, after: 5), steps.vector(StoredVector.parameters, after: 5)) < 1e-6)
  }
}
