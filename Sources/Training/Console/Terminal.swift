import Foundation

/// Where the log goes: lines that stay, and on a terminal one line that is replaced. Any thread may write.
final class Terminal: @unchecked Sendable {  // Everything mutable is guarded by `lock`.
  /// Whether lines can be replaced. `launch/train` sets the variable, because a launcher's ranks write to a pipe even
  /// where the launcher itself writes to a terminal.
  let isInteractive: Bool
  private let usesColor: Bool
  private let lock = NSRecursiveLock()
  private var hasTransient = false
  private var lastLine = Date()

  init(hidesProgress: Bool) {
    let environment = ProcessInfo.processInfo.environment
    let isTerminal = isatty(STDERR_FILENO) == 1 || environment["SWIFT_DP_TRAIN_TERMINAL"] == "1"
    isInteractive = isTerminal && !hidesProgress
    usesColor = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }

  func bold(_ text: String) -> String { usesColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// A line of the log.
  func line(_ text: String) {
    lock.withLock {
      clear()
      write(text + "\n", to: STDERR_FILENO)
      lastLine = Date()
    }
  }

  /// A line of the log where there was none for so many seconds.
  func line(afterSilenceOf seconds: Double, _ text: @autoclosure () -> String) {
    lock.withLock {
      if Date().timeIntervalSince(lastLine) >= seconds { line(text()) }
    }
  }

  /// A line of the result.
  func result(_ text: String) {
    lock.withLock {
      clear()
      write(text + "\n", to: STDOUT_FILENO)
    }
  }

  /// A line that the next one replaces; nothing where lines cannot be replaced.
  func transient(_ text: String) {
    guard isInteractive else { return }
    lock.withLock {
      clear()
      write(text, to: STDERR_FILENO)
      hasTransient = true
    }
  }

  /// - Parameter text: stands in front of the bar.
  func bar(done: Int, of total: Int, _ text: String = "") {
    let width = 40
    let filled = width * done / max(total, 1)
    transient(
      text + String(repeating: "━", count: filled) + String(repeating: "╌", count: width - filled)
        + " \(100 * done / max(total, 1))%")
  }

  func clear() {
    lock.withLock {
      guard hasTransient else { return }
      hasTransient = false
      write("\r\u{1B}[K", to: STDERR_FILENO)
    }
  }

  private func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      // A closed pipe must not end a run; the events are in the run's directory.
      if count <= 0 && errno != EINTR { return }
      bytes = bytes.dropFirst(max(count, 0))
    }
  }
}
