import Datasets
import Testing

@Suite struct BatchReaderTests {
  static let shape = ImageShape(channels: 2, height: 3, width: 3)
  static let normalisation = Normalisation(mean: [0.5, 0.25], deviation: [0.25, 0.5])

  /// What a shard got in one step.
  struct Part: Equatable {
    var epoch: Int
    var step: Int
    var globalCount: Int
    var shard: Int
    var images: [Float]
    var labels: [Int32]
    var ids: [UInt32]

    init(_ batch: GlobalBatch, _ part: ShardBatch) {
      epoch = batch.epoch
      step = batch.step
      globalCount = batch.sampleCount
      shard = part.shard
      let size = BatchReaderTests.shape.elementCount
      images = Array(UnsafeBufferPointer(start: part.images, count: part.count * size))
      labels = Array(UnsafeBufferPointer(start: part.labels, count: part.count))
      ids = Array(UnsafeBufferPointer(start: part.ids, count: part.count))
    }

    /// The definition, from the plan and the bytes.
    init(_ plan: EpochPlan, _ set: ImageSet, epoch: Int, step: Int, shard: Int, of shards: Int) {
      let samples = plan.samples(epoch: epoch, step: step, shard: shard, of: shards)
      self.epoch = epoch
      self.step = step
      globalCount = plan.positions(step: step).count
      self.shard = shard
      images = samples.flatMap { sample in
        set.pixels(of: sample).enumerated().map { element, byte in
          let channel = element / 9
          return NormalisationTests.expected(
            byte, mean: [0.5, 0.25][channel], deviation: [0.25, 0.5][channel])
        }
      }
      labels = samples.map { set.label(of: $0) }
      ids = samples.map { set.id(of: $0) }
    }
  }

  private func read(
    _ source: any ImageSource, _ plan: EpochPlan, augmentation: Augmentation = .none, shards: Range<Int>, of count: Int,
    epoch: Int = 0, step: Int = 0, threads: Int = 1, depth: Int = 3, batches: Int
  ) throws -> [Part] {
    let reader = try BatchReader(
      source: source, plan: plan, normalisation: Self.normalisation, augmentation: augmentation, shards: shards,
      of: count, epoch: epoch, step: step, threads: threads, depth: depth)
    return try (0..<batches).flatMap { _ in
      let batch = try reader.next()
      return batch.shards.map { Part(batch, $0) }
    }
  }

  @Test(arguments: [1, 2, 3, 4], [1, 2, 3, 5])
  func batchesAreTheirDefinition(threads: Int, depth: Int) throws {
    let whole = countingSet(31, shape: Self.shape)
    for set in [whole, whole.selecting(Array(stride(from: 1, to: 31, by: 2)))] {
      for (batch, shards) in [(10, 1), (10, 3), (7, 4), (2, 5), (40, 7)] {
        let plan = EpochPlan(sampleCount: set.count, globalBatchSize: batch, seed: 11)
        let steps = plan.stepsPerEpoch
        for hosted in [0..<shards, 0..<1, shards - 1..<shards, shards / 3..<shards * 2 / 3] {
          // Two and a half epochs, from the middle of one.
          let start = 3 * steps + steps / 2
          let expected = (start..<start + 2 * steps + steps / 2 + 1).flatMap { global in
            hosted.map { shard in
              Part(plan, set, epoch: global / steps, step: global % steps, shard: shard, of: shards)
            }
          }
          let parts = try read(
            set, plan, shards: hosted, of: shards, epoch: 3, step: steps / 2, threads: threads, depth: depth,
            batches: 2 * steps + steps / 2 + 1)
          #expect(parts == expected, "batch \(batch), shards \(hosted) of \(shards)")
        }
      }
    }
  }

  /// Whatever the number of ranks: the shards' parts are the same, augmented too.
  @Test func partsDoNotDependOnWhereShardsLive() throws {
    let set = countingSet(29, shape: Self.shape)
    let plan = EpochPlan(sampleCount: 29, globalBatchSize: 8, seed: 2)
    let augmentation = Augmentation([.randomCrop(padding: 1), .horizontalFlip], seed: 9)
    let together = try read(set, plan, augmentation: augmentation, shards: 0..<5, of: 5, batches: 9)
    let plain = try read(set, plan, shards: 0..<5, of: 5, batches: 9)
    #expect(together != plain && together.map(\.ids) == plain.map(\.ids))
    for ranks in 2...5 {
      var parts: [Part] = []
      for rank in 0..<ranks {
        parts += try read(
          set, plan, augmentation: augmentation, shards: rank * 5 / ranks..<(rank + 1) * 5 / ranks, of: 5,
          threads: ranks - 1, depth: 2, batches: 9)
      }
      let sorted = parts.sorted { ($0.epoch, $0.step, $0.shard) < ($1.epoch, $1.step, $1.shard) }
      #expect(sorted == together, "\(ranks) ranks")
    }
  }

  /// The draws of a sample go with its id: the same in a selection, at another place, in another batch size.
  @Test func augmentationFollowsTheSample() throws {
    let set = countingSet(24, shape: Self.shape)
    let augmentation = Augmentation([.randomCrop(padding: 1), .horizontalFlip], seed: 4)
    func images(_ set: ImageSet, batch: Int, shards: Int, epoch: Int) throws -> [UInt32: [Float]] {
      let plan = EpochPlan(sampleCount: set.count, globalBatchSize: batch, seed: UInt64(batch))
      let parts = try read(
        set, plan, augmentation: augmentation, shards: 0..<shards, of: shards, epoch: epoch, batches: plan.stepsPerEpoch
      )
      var result: [UInt32: [Float]] = [:]
      let size = Self.shape.elementCount
      for part in parts {
        for (place, id) in part.ids.enumerated() { result[id] = Array(part.images[place * size..<(place + 1) * size]) }
      }
      return result
    }
    let whole = try images(set, batch: 5, shards: 2, epoch: 1)
    #expect(whole.count == 24)
    for (id, image) in try images(set.selecting([20, 3, 11, 5, 17]), batch: 2, shards: 3, epoch: 1) {
      #expect(image == whole[id])
    }
    #expect(try images(set, batch: 5, shards: 2, epoch: 2) != whole)
  }

  @Test func memoryIsAlignedAndComesRound() throws {
    let set = countingSet(50, shape: Self.shape)
    let reader = try BatchReader(
      source: set, plan: EpochPlan(sampleCount: 50, globalBatchSize: 7, seed: 0), normalisation: Self.normalisation,
      shards: 0..<3, of: 3, depth: 2)
    var addresses = Set<[Int]>()
    for _ in 0..<20 {
      let shards = try reader.next().shards
      let pointers = shards.flatMap {
        [Int(bitPattern: $0.images), Int(bitPattern: $0.labels), Int(bitPattern: $0.ids)]
      }
      #expect(pointers.allSatisfy { $0 % 64 == 0 })
      addresses.insert(pointers)
    }
    #expect(addresses.count == 2)
  }

  @Test func stoppingEarlyNeverHangs() throws {
    let set = countingSet(50, shape: Self.shape)
    for threads in 1...4 {
      for depth in 1...3 {
        for taken in 0...4 {
          let parts = try read(
            set, EpochPlan(sampleCount: 50, globalBatchSize: 9, seed: 0), shards: 0..<2, of: 2, threads: threads,
            depth: depth, batches: taken)
          #expect(parts.count == 2 * taken)
        }
      }
    }
  }

  /// A set of which some samples cannot be read.
  struct BrokenSource: ImageSource {
    let images: ImageSet
    let broken: Set<Int>
    var count: Int { images.count }
    var shape: ImageShape { images.shape }

    func withSample<Result>(
      _ index: Int, _ body: (UnsafeBufferPointer<UInt8>, Int32, UInt32) throws -> Result
    ) throws -> Result {
      if broken.contains(index) { throw DataError("Sample \(index) is broken.") }
      return try images.withSample(index, body)
    }
  }

  @Test(arguments: 1...4)
  func errorsComeWithTheirBatch(threads: Int) throws {
    let source = BrokenSource(images: countingSet(40, shape: Self.shape), broken: [17, 18, 33])
    let plan = EpochPlan(sampleCount: 40, globalBatchSize: 4, seed: 0, shuffles: false)
    for depth in 1...5 {
      let reader = try BatchReader(
        source: source, plan: plan, normalisation: Self.normalisation, shards: 0..<2, of: 2, threads: threads,
        depth: depth)
      for step in 0..<4 { #expect(try reader.next().step == step) }
      for _ in 0..<3 { #expect(error { try reader.next() } == "Sample 17 is broken.") }
    }
  }

  @Test func waitingIsMeasured() throws {
    /// Takes a millisecond for every sample.
    struct SlowSource: ImageSource {
      let images: ImageSet
      var count: Int { images.count }
      var shape: ImageShape { images.shape }
      func withSample<Result>(
        _ index: Int, _ body: (UnsafeBufferPointer<UInt8>, Int32, UInt32) throws -> Result
      ) throws -> Result {
        let end = ContinuousClock.now + .milliseconds(1)
        while ContinuousClock.now < end {}
        return try images.withSample(index, body)
      }
    }
    let reader = try BatchReader(
      source: SlowSource(images: countingSet(40, shape: Self.shape)),
      plan: EpochPlan(sampleCount: 40, globalBatchSize: 10, seed: 0), normalisation: Self.normalisation, shards: 0..<1,
      of: 1)
    #expect(reader.waited == .zero)
    for _ in 0..<4 { _ = try reader.next() }
    #expect(reader.waited >= .milliseconds(20))
  }

  @Test func anEpochWithoutStepsIsRefused() {
    let set = countingSet(5, shape: Self.shape)
    #expect(
      error {
        try BatchReader(
          source: set, plan: EpochPlan(sampleCount: 5, globalBatchSize: 6, seed: 0, dropsLast: true),
          normalisation: Self.normalisation, shards: 0..<1, of: 1)
      } == "5 samples do not fill a global batch of 6: lower --batch-size.")
  }
}
