// How fast the data path is: `swift run -c release data-speed`.
//
// Prints nanoseconds an index of the epoch's order, and images a second that a reader delivers, with and without
// augmentation, for the shapes of Fashion-MNIST, CIFAR and ImageNet, and seconds to load Fashion-MNIST if it is there.

import Datasets

let clock = ContinuousClock()

/// The shortest of several runs, in seconds.
func best(of runs: Int = 5, _ body: () throws -> Void) rethrows -> Double {
  var best = Double.infinity
  for _ in 0..<runs {
    let duration = try clock.measure(body)
    best = min(best, Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)
  }
  return best
}

func text(_ value: Double, _ digits: Int = 1) -> String {
  let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
  return "\((value * scale).rounded() / scale)"
}

print("order: nanoseconds an index")
for count in [256, 1000, 60_000, 65_536, 65_537, 1_281_167, 1 << 32 + 1] {
  let permutation = KeyedPermutation(count: count, seed: 1)
  let positions = min(count, 1 << 20)
  var indices: [Int] = []
  var sum = 0
  let repeats = (1 << 20) / positions
  let mapped = best { for _ in 0..<repeats { permutation.map(0..<positions, into: &indices) } }
  let single = best { for _ in 0..<repeats { for position in 0..<positions { sum &+= permutation[position] } } }
  let scale = 1e9 / Double(repeats * positions)
  print("  N \(count): \(text(mapped * scale)) in ranges, \(text(single * scale)) one by one", sum == 0 ? "" : "")
}

print("reader: images a second, global batch 256, one shard")
for shape in [
  ImageShape(channels: 1, height: 28, width: 28), ImageShape(channels: 3, height: 32, width: 32),
  ImageShape(channels: 3, height: 224, width: 224),
] {
  let count = shape.elementCount > 100_000 ? 1_000 : 20_000
  let dataset = try SyntheticImages(shape: shape, trainCount: count, testCount: 1).dataset()
  let plan = EpochPlan(sampleCount: count, globalBatchSize: 256, seed: 1)
  for (name, augmentation) in [
    ("plain", Augmentation.none), ("crop and flip", Augmentation([.randomCrop(padding: 4), .horizontalFlip], seed: 1)),
  ] {
    for threads in [1, 2] {
      let reader = try BatchReader(
        source: dataset.train, plan: plan, normalisation: dataset.normalisation, augmentation: augmentation,
        shards: 0..<1, of: 1, threads: threads, depth: threads + 2)
      let seconds = try best { for _ in 0..<plan.stepsPerEpoch { _ = try reader.next() } }
      print("  \(shape) \(name), \(threads) thread\(threads == 1 ? "" : "s"): \(text(Double(count) / seconds, 0))")
    }
  }
}

if (try? loadDataset(named: "fashion-mnist")) != nil {
  let load = try best(of: 3) { _ = try loadDataset(named: "fashion-mnist") }
  let dataset = try loadDataset(named: "fashion-mnist")
  let digest = best(of: 3) { _ = dataset.digest }
  print("fashion-mnist: \(text(load, 2)) s to load, \(text(digest, 3)) s for its digest")
}
