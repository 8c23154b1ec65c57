import CSystem

/// What a rank is doing.
public enum Operation: Int, Sendable, CaseIterable {
  case starting, opening, connecting, readingData, planning, takingBatch, computing, summing, exchanging, updating
  case evaluating, saving, betweenSteps, finishing
  case updatingTogether, gatheringEvaluations, comparing, waitingForFirst
  case serving, awaitingServers

  /// Whether a rank in it waits for others, so that it is not the one that holds the job up.
  var isWait: Bool {
    switch self {
    case .connecting, .summing, .exchanging, .updatingTogether, .gatheringEvaluations, .comparing, .waitingForFirst,
      .serving,
      .awaitingServers:
      true
    default: false
    }
  }

  /// Whether it may take long without a sign of life.
  var mayTakeLong: Bool { self == .planning }

  /// In words that follow "rank 2 was".
  var text: String {
    switch self {
    case .starting: "starting"
    case .opening: "opening the run directory"
    case .connecting: "connecting to the others"
    case .readingData: "reading the data set"
    case .planning: "planning kernels"
    case .takingBatch: "waiting for its next batch of data"
    case .computing: "computing"
    case .summing: "waiting in a sum of gradients"
    case .exchanging: "waiting for the other ranks at the end of the step"
    case .updating: "updating parameters"
    case .evaluating: "evaluating"
    case .saving: "saving"
    case .betweenSteps: "between two steps"
    case .finishing: "writing the results"
    case .updatingTogether: "waiting for the other ranks of its node to update parameters"
    case .gatheringEvaluations: "waiting for the other ranks' parts of the evaluation"
    case .comparing: "comparing parameters with the other ranks"
    case .waitingForFirst: "waiting for rank 0"
    case .serving: "waiting for the workers"
    case .awaitingServers: "waiting for servers or other workers"
    }
  }
}

/// What one rank tells the watchdog of its node, in words of memory that the node shares: a few stores a step.
public final class Activity: @unchecked Sendable {  // One thread enters operations; ticks may be lost among several.
  /// The words of a rank.
  enum Word: Int, CaseIterable {
    /// Grows with everything that a rank does.
    case progress
    case operation
    /// A number that says more: a bucket, or an instruction of the plan.
    case detail
    case step
    case process
    /// 0 while it runs; see `Ending`.
    case ending
    /// Not 0 once it has said what is wrong, so that others need not.
    case spoken
  }

  /// Bytes of a rank, whole cache lines: the words, and from half of them on a text.
  static let byteCount = 128
  private static let textWords = 8..<16

  private let words: UnsafeMutablePointer<UInt64>
  /// Memory of its own, where nobody shares it.
  private let owned: Bool

  init(at words: UnsafeMutablePointer<UInt64>) { (self.words, owned) = (words, false) }

  /// One that nobody looks at.
  public init() {
    words = .allocate(capacity: Self.byteCount / 8)
    words.initialize(repeating: 0, count: Self.byteCount / 8)
    owned = true
  }

  deinit { if owned { words.deallocate() } }

  /// The rank begins something else.
  func enter(_ operation: Operation) {
    self[.detail] = 0
    self[.operation] = UInt64(operation.rawValue)
    tick()
  }

  /// The rank is at another place of what it does.
  func tick() { self[.progress] &+= 1 }

  /// The rank is at another place of what it does, which a text names. The end of a long one is kept.
  func tick(at text: String) {
    let bytes = Array(text.utf8.suffix(8 * Self.textWords.count))
    for (place, index) in Self.textWords.enumerated() {
      let part = bytes.dropFirst(8 * place).prefix(8)
      cs_store(words + index, part.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
    tick()
  }

  var text: String {
    let bytes = Self.textWords.flatMap { index in
      let word = cs_load(words + index)
      return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  subscript(word: Word) -> UInt64 {
    get { cs_load(words + word.rawValue) }
    set { cs_store(words + word.rawValue, newValue) }
  }

  func pointer(_ word: Word) -> UnsafeMutablePointer<UInt64> { words + word.rawValue }
}

/// How a process ended, as its word says.
enum Ending: Sendable, Hashable {
  case running
  /// By itself, or by an error that it has said.
  case ended
  case fault(signal: Int)

  static let faultMark: UInt64 = 1000

  init(_ word: UInt64) {
    switch word {
    case 0: self = .running
    case Self.faultMark...: self = .fault(signal: Int(word - Self.faultMark))
    default: self = .ended
    }
  }
}
