import CKernels
import COneDNN
import Foundation
import Networks

/// Computes losses and gradients of the shards that a rank hosts, several side by side.
///
/// Everything that a step needs is made here: a program for each shard batch size on each worker, one arena a worker.
/// Nothing is kept between calls; parameters come in as a flat vector, gradients go out as one for each shard.
public final class Executor {
  public struct Configuration: Sendable {
    public var network: Network
    public var labelSmoothing: Float = 0
    /// The distinct sizes of batches that shards (or their micro-batches) run, none zero. At least one.
    public var trainingBatchSizes: [Int]
    /// Whether training programs are made. Without them there is evaluation alone, in a small arena, but with the
    /// layouts and so the bits of a run that trains with these batch sizes.
    public var trains = true
    /// Distinct sizes of evaluation blocks; may be empty.
    public var evaluationBatchSizes: [Int] = []
    /// Shards that run at once.
    public var workers = 1
    public var threadsPerShard = 1
    public var kernelChoice = KernelChoice()
    /// Changes no bit of what is computed.
    public var recomputation = Recomputation.none
    public var precision = Precision.float32
    /// Of dropout.
    public var seed: UInt64 = 0

    public init(network: Network, trainingBatchSizes: [Int]) {
      self.network = network
      self.trainingBatchSizes = trainingBatchSizes
    }
  }

  /// One shard's part of a step.
  public struct ShardWork: @unchecked Sendable {  // The caller keeps the memory alive and untouched during the call.
    /// Row-major [count, channels, height, width]; `count` may be zero.
    public var images: UnsafePointer<Float>
    public var labels: UnsafePointer<Int32>
    public var sampleIDs: UnsafePointer<UInt32>
    /// The sizes of the shard's micro-batches, in order; none is zero, and a shard without samples has none.
    public var batches: [Int]
    /// Receives Σ over the samples ÷ `globalBatch`, a flat vector.
    public var gradients: UnsafeMutablePointer<Float>
    public var globalBatch: Int
    public var epoch: Int
    public var step: Int
    /// A flat vector of the shard's own; nil for that of all.
    public var parameters: UnsafePointer<Float>?

    public init(
      images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, sampleIDs: UnsafePointer<UInt32>, batches: [Int],
      gradients: UnsafeMutablePointer<Float>, globalBatch: Int, epoch: Int, step: Int
    ) {
      (self.images, self.labels, self.sampleIDs, self.batches) = (images, labels, sampleIDs, batches)
      (self.gradients, self.globalBatch, self.epoch, self.step) = (gradients, globalBatch, epoch, step)
    }
  }

  public let configuration: Configuration
  public let parameterLayout: ParameterLayout
  /// The plans as text, one line an instruction: what a plan's digest is made of and `models show --plan` prints.
  public let planText: String
  /// Bytes of one worker's arena.
  public let arenaBytes: Int
  /// By the text of an operation that had a choice of kernels, where it stands.
  var choices: [String: Set<Plan.Place>] { workers[0].choices }
  private let pool: WorkerPool
  private let workers: [Worker]
  private var parts: FreeParts?

  public init(_ configuration: Configuration) throws {
    precondition(!configuration.trainingBatchSizes.isEmpty && configuration.trainingBatchSizes.allSatisfy { $0 > 0 })
    self.configuration = configuration
    let pool = WorkerPool(count: configuration.workers, threadsPerWorker: configuration.threadsPerShard)
    self.pool = pool

    let chosen = Box<ParameterLayout>()
    try pool.run(jobs: 1) { _, _ in chosen.value = try configuration.chooseParameterLayout() }
    guard let layout = chosen.value else { preconditionFailure("a job that did not run") }
    parameterLayout = layout

    let (training, evaluation) = (configuration.trainingPrograms, configuration.evaluationPrograms)
    let workers = (0..<configuration.workers).map { _ in Worker() }
    self.workers = workers
    try pool.run(jobs: workers.count) { worker, _ in
      try workers[worker].prepare(configuration, layout, training: training, evaluation: evaluation)
    }
    planText = workers[0].planText
    arenaBytes = workers[0].arenaBytes
  }

  /// What goes on beside a computation of gradients, on the thread that asked for it.
  public struct Companion {
    /// Called when the computation is done with a part of `announce(parts:)`, in the order of parts: the gradients of all
    /// shards are final there, and parameters are read no more.
    public var isFree: (_ part: Int) throws -> Void
    /// Called from time to time while something is under way, from the beginning or since `isFree`; says whether it still is.
    public var advance: () throws -> Bool
    /// Whether something is under way at the beginning already.
    public var isUnderWay: Bool

    public init(
      isUnderWay: Bool = false, isFree: @escaping (_ part: Int) throws -> Void, advance: @escaping () throws -> Bool
    ) {
      (self.isUnderWay, self.isFree, self.advance) = (isUnderWay, isFree, advance)
    }
  }

  /// From now on the number of the instruction that is computed is stored in a word, for a watchdog; several workers store theirs
  /// in turn. Sound: the caller keeps it until the executor is gone.
  public func publishPlace(in word: UnsafeMutablePointer<UInt64>) {
    let word = UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt.self)
    for worker in workers { worker.publishPlace(in: word) }
  }

  /// Operation and layer of each instruction of a training step.
  public var instructionNames: [String] { workers[0].stepNames }

  /// Says which parts of the flat vectors a companion wants to hear of; each is free no earlier than those before it. They
  /// cover the vectors.
  public func announce(parts: [Range<Int>]) {
    self.parts = FreeParts(parts.count, wake: pool.wake)
    for worker in workers { worker.announce(parts: parts, parameterLayout) }
  }

  /// Runs each shard's batches and leaves its gradients and its contribution to running statistics where it says.
  /// - Returns: the sums of each shard, in the order given.
  public func computeGradients(
    parameters: UnsafePointer<Float>, _ shards: [ShardWork], beside companion: Companion? = nil
  ) throws -> [LossSums] {
    let parameters = Shared(parameters)
    let count = parameterLayout.count
    let results = Shared(UnsafeMutablePointer<LossSums>.allocate(capacity: max(shards.count, 1)))
    defer { results.pointer.deallocate() }
    let parts = companion == nil ? nil : parts
    parts?.reset(shards: shards.count)
    let isFree = parts.map { parts in { @Sendable (part: Int) in parts.add(part) } }
    var begun = 0
    var isUnderWay = companion?.isUnderWay ?? false
    let attend = companion.map { companion in
      { () throws -> DispatchTimeInterval in
        while begun < (parts?.free ?? 0) {
          try companion.isFree(begun)
          begun += 1
          isUnderWay = true
        }
        if isUnderWay { isUnderWay = try companion.advance() }
        // Often enough for messages of milliseconds, and seldom enough not to be felt where cores are taken.
        return isUnderWay ? .microseconds(250) : .never
      }
    }
    try pool.run(
      jobs: shards.count,
      { [workers] worker, shard in
        let sums = try workers[worker].computeGradients(
          shards[shard].parameters ?? parameters.pointer, shards[shard], count: count, isFree: isFree)
        (results.pointer + shard).initialize(to: sums)
      }, attending: attend)
    if let companion {
      while begun < (parts?.count ?? 0) {
        try companion.isFree(begun)
        begun += 1
      }
    }
    return Array(UnsafeBufferPointer(start: results.pointer, count: shards.count))
  }

  /// Evaluates blocks of samples, several at once.
  /// - Parameter fill: writes the images and labels of a block, or of a part of one, into memory of the worker, on its thread.
  /// - Returns: the sums of each block, in the order given.
  public func evaluate(
    parameters: UnsafePointer<Float>, blocks: [Range<Int>],
    fill:
      @escaping @Sendable (Range<Int>, _ images: UnsafeMutablePointer<Float>, _ labels: UnsafeMutablePointer<Int32>)
      throws -> Void
  ) throws -> [LossSums] {
    let parameters = Shared(parameters)
    let results = Shared(UnsafeMutablePointer<LossSums>.allocate(capacity: max(blocks.count, 1)))
    defer { results.pointer.deallocate() }
    try pool.run(jobs: blocks.count) { [workers] worker, block in
      let sums = try workers[worker].evaluate(parameters.pointer, blocks[block], fill)
      (results.pointer + block).initialize(to: sums)
    }
    return Array(UnsafeBufferPointer(start: results.pointer, count: blocks.count))
  }

  /// Starts to measure each instruction of the first worker's training programs.
  public func startProfile() { workers[0].startProfile() }

  /// Milliseconds since `startProfile`, by operation and layer, in the order of execution of the largest program.
  public func profile() -> [(operation: String, layer: String, milliseconds: Double)] { workers[0].profile() }
}

/// How many parts of the flat vectors all shards are done with, from the first on.
private final class FreeParts: @unchecked Sendable {  // Everything mutable is guarded by `lock`.
  let count: Int
  private let lock = NSLock()
  /// Of each part, the shards that are not done with it.
  private var missing: [Int]
  private var first = 0
  private let wake: () -> Void

  init(_ count: Int, wake: @escaping () -> Void) {
    self.count = count
    self.wake = wake
    missing = [Int](repeating: 0, count: count)
  }

  /// Begins a computation.
  func reset(shards: Int) {
    lock.withLock {
      for part in missing.indices { missing[part] = shards }
      first = 0
    }
  }

  /// One more shard is done with a part.
  func add(_ part: Int) {
    let isMore = lock.withLock {
      missing[part] -= 1
      let before = first
      while first < count, missing[first] == 0 { first += 1 }
      return first > before
    }
    if isMore { wake() }
  }

  var free: Int { lock.withLock { first } }
}

/// A pointer that crosses to the workers, which finish with it before the call that lent it returns.
private struct Shared<Pointee>: @unchecked Sendable {
  let pointer: Pointee
  init(_ pointer: Pointee) { self.pointer = pointer }
}

/// A value made on a worker and read after the pool has waited for it.
final class Box<Value>: @unchecked Sendable {
  var value: Value?
}
