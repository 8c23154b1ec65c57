/// One rank as the watchdog of its node sees it, and as it tells rank 0's: one line of text.
package struct RankStatus: Sendable, Hashable {
  package enum Life: String, Sendable {
    case running
    /// By SIGSTOP or a debugger.
    case stopped
    /// Its process is gone without having said why.
    case dead
    /// Ended by itself.
    case ended
  }

  package var rank: Int
  package var process: Int
  package var life: Life
  /// The signal that it noted at its end, 0 for none.
  package var signal = 0
  package var operation: Operation
  package var detail: Int
  package var step: Int
  package var progress: UInt64
  /// The file that it reads.
  package var file = ""

  package var line: String {
    "rank \(rank) \(process) \(life.rawValue) \(signal) \(operation.rawValue) \(detail) \(step) \(progress) \(file)"
  }

  package init(
    rank: Int, process: Int, life: Life = .running, signal: Int = 0, operation: Operation, detail: Int = 0, step: Int,
    progress: UInt64
  ) {
    (self.rank, self.process, self.life, self.signal) = (rank, process, life, signal)
    (self.operation, self.detail, self.step, self.progress) = (operation, detail, step, progress)
  }

  /// Nil for a line that is none of these.
  package init?(line: some StringProtocol) {
    let words = line.split(separator: " ", maxSplits: 9, omittingEmptySubsequences: false)
    guard words.count == 10, words[0] == "rank", let life = Life(rawValue: String(words[3])),
      let progress = UInt64(words[8])
    else { return nil }
    let numbers = [1, 2, 4, 5, 6, 7].map { Int(words[$0]) }
    guard !numbers.contains(nil), let operation = Operation(rawValue: numbers[3] ?? -1) else { return nil }
    self.init(
      rank: numbers[0] ?? 0, process: numbers[1] ?? 0, life: life, signal: numbers[2] ?? 0, operation: operation,
      detail: numbers[4] ?? 0, step: numbers[5] ?? 0, progress: progress)
    file = String(words[9])
  }
}
