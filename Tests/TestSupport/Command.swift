import Foundation

/// What a command that has ended left behind.
public struct CommandResult: Sendable {
  /// The exit code; 128 + signal for a command that a signal ended, as shells count.
  public var exitCode: Int32
  public var standardOutput: String
  public var standardError: String
  /// Whether the time limit ended it.
  public var timedOut: Bool
  public var seconds: Double
  /// The command, for messages of tests.
  public var command: String

  /// Everything a failing test wants to show.
  public var transcript: String {
    let end = timedOut ? "ended by the time limit" : "exit code \(exitCode)"
    return "\(command)\n\(end) after \(seconds) s\nstdout:\n\(standardOutput)\nstderr:\n\(standardError)"
  }
}

/// A command that could not be started.
public struct CommandNotStarted: Error, CustomStringConvertible {
  public let description: String
}

/// What a test does to a command that is under way.
public struct Intervention {
  let text: String
  let action: () throws -> Void

  /// - Parameters:
  ///   - text: once the command has written this, to standard output or error, the action is due; if it never does, never.
  ///   - action: called once; the command goes on meanwhile.
  public init(afterOutput text: String, _ action: @escaping () throws -> Void) {
    self.text = text
    self.action = action
  }

  /// - Parameter action: called once, as soon as the command has been started; it waits itself for what it wants.
  public init(atOnce action: @escaping () throws -> Void) {
    text = ""
    self.action = action
  }
}

/// Runs a command to its end, or to the end of its time, and returns what it wrote.
///
/// The command is the leader of a process group of its own. When its time is up the group gets SIGTERM, and SIGKILL two
/// seconds later.
///
/// - Parameters:
///   - arguments: the program (looked up in PATH if it has no slash) and its arguments.
///   - environment: variables added to this process's, or, where nil, removed from them.
///   - directory: where it starts; nil for this process's directory.
///   - intervention: an error that it throws is thrown when the command has ended.
public func run(
  _ arguments: [String], environment: [String: String?] = [:], in directory: URL? = nil, timeLimit: Double = 60,
  intervention: Intervention? = nil
) throws -> CommandResult {
  // Output goes to files, not pipes: a pipe that a grandchild holds open would keep the reader waiting.
  let output = try TemporaryDirectory()
  let files = ["stdout", "stderr"].map { output.url.appendingPathComponent($0).path }

  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
  for (descriptor, path) in zip([STDOUT_FILENO, STDERR_FILENO], files) {
    posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  }
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  posix_spawnattr_setpgroup(&attributes, 0)
  // What this process's threads block or ignore, the command shall not.
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  for signal in [SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGCHLD] { sigaddset(&signals, signal) }
  posix_spawnattr_setsigdefault(&attributes, &signals)

  var variables = ProcessInfo.processInfo.environment
  for (name, value) in environment { variables[name] = value }
  // `env` changes the directory and becomes the command.
  let words = (directory.map { ["env", "--chdir", $0.path] } ?? []) + arguments
  var argv = words.map { strdup($0) } + [nil]
  var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
  defer { for text in argv + envp { free(text) } }

  let start = ContinuousClock.now
  var process: pid_t = 0
  let code = posix_spawnp(&process, words[0], &actions, &attributes, &argv, &envp)
  guard code == 0 else {
    throw CommandNotStarted(description: "\(arguments[0]) does not start: \(String(cString: strerror(code)))")
  }

  var status: Int32 = 0
  var timedOut = false
  var intervention = intervention
  var failure: (any Error)?
  func texts() -> [String] {
    files.map { String(decoding: contents(ofFile: $0) ?? Data(), as: UTF8.self) }
  }
  var usage = rusage()
  func ended() -> Bool { wait4(process, &status, WNOHANG, &usage) != 0 }
  func waited(until seconds: Double) -> Bool {
    while !ended() {
      if let due = intervention, due.text.isEmpty || texts().contains(where: { $0.contains(due.text) }) {
        intervention = nil
        do { try due.action() } catch { failure = error }
      }
      if start.duration(to: .now) > .seconds(seconds) { return false }
      usleep(5_000)
    }
    return true
  }
  if !waited(until: timeLimit) {
    timedOut = true
    kill(-process, SIGTERM)
    if !waited(until: timeLimit + 2) {
      kill(-process, SIGKILL)
      wait4(process, &status, 0, &usage)
    }
  }
  let duration = start.duration(to: .now)
  recordTime(duration, usage, arguments)

  let signal = status & 0x7f
  if let failure { throw failure }
  let written = texts()
  return CommandResult(
    exitCode: signal == 0 ? (status >> 8) & 0xff : 128 + signal, standardOutput: written[0], standardError: written[1],
    timedOut: timedOut, seconds: Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18,
    command: arguments.joined(separator: " "))
}

/// Adds a line to the file that SWIFT_DP_TRAIN_TEST_TIMES names: seconds, processor seconds with those of children, and the
/// command. What makes the suite slow is found there.
private func recordTime(_ duration: Duration, _ usage: rusage, _ arguments: [String]) {
  guard let path = ProcessInfo.processInfo.environment["SWIFT_DP_TRAIN_TEST_TIMES"] else { return }
  func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
  let line = String(
    format: "%.2f %.2f ", duration / .seconds(1), seconds(usage.ru_utime) + seconds(usage.ru_stime))
  let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
  guard file >= 0 else { return }
  defer { close(file) }
  let text = line + arguments.joined(separator: " ") + "\n"
  _ = text.withCString { write(file, $0, strlen($0)) }
}
