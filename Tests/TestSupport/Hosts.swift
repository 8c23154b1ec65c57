import Foundation

/// Several hosts in namespaces of this machine, each with its own network, name, processes and shared memory.
///
/// `launch/hosts` makes them and says how. They are up in 0.2 s. The machine's own network is not touched, and everything
/// goes with this object or, if that has no time to, with the process that made it. Paths mean the same on all hosts.
public final class Hosts: @unchecked Sendable {
  /// Why there can be no hosts on this machine, in one sentence; nil if there can.
  public static let obstacle: String? = {
    guard let check = try? TestSupport.run([script, "--check"], timeLimit: 20) else { return "\(script) does not run." }
    return check.exitCode == 0 ? nil : check.standardError.trimmingCharacters(in: .whitespacesAndNewlines)
  }()

  private static let script = launchScript("hosts")

  public let count: Int
  /// The process that everything hangs on.
  public var processIdentifier: pid_t { bed.processIdentifier }

  private let bed = Process()
  private let orders = Pipe()
  private let answers = Pipe()
  /// The network namespaces of the hosts and of what connects them, as /proc names them.
  public private(set) var networks: Set<String> = []
  /// For each host the words that run a command there: a directory and the command follow.
  private var entries: [[String]] = []
  private var unread = Data()
  /// Held while an order is given and answered.
  private let orderly = NSLock()

  /// - Parameters:
  ///   - bandwidth: of each link, in both directions; nil for what the machine can.
  ///   - latency: on the way from host to host; an error where the kernel has no netem.
  ///   - user: who all commands and logins are; another than root is known to the hosts only.
  public init(count: Int, bandwidth: Bandwidth? = nil, latency: Latency? = nil, user: String = "root") throws {
    self.count = count
    bed.executableURL = URL(fileURLWithPath: Self.script)
    bed.arguments =
      ["--control", "--hosts", "\(count)", "--user", user]
      + Self.shape(bandwidth, latency, "--bandwidth", "--latency")
    bed.standardInput = orders
    bed.standardOutput = answers
    // The end of this process is to close the pipes.
    for handle in [orders.fileHandleForWriting, answers.fileHandleForReading] {
      _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }
    // A host that is gone is an error here, not a signal.
    signal(SIGPIPE, SIG_IGN)
    try bed.run()
    do {
      for line in try answer(upTo: "ready") where line.hasPrefix("host ") {
        entries.append(line.split(separator: " ").dropFirst().map(String.init))
      }
      let paths = entries.joined().filter { $0.hasPrefix("--net=") }.map { String($0.dropFirst(6)) }
      for path in paths + ["/proc/\(bed.processIdentifier)/ns/net"] {
        networks.insert(try FileManager.default.destinationOfSymbolicLink(atPath: path))
      }
    } catch {
      remove()
      throw error
    }
  }

  deinit { remove() }

  /// Takes all hosts down and returns when they are gone; they are no longer to be used.
  public func remove() {
    // Said, not only closed: a command that is under way may have got the pipe with its descriptors.
    try? orders.fileHandleForWriting.write(contentsOf: Data("end\n".utf8))
    try? orders.fileHandleForWriting.close()
    let limit = ContinuousClock.now + .seconds(10)
    while bed.isRunning && ContinuousClock.now < limit { usleep(5_000) }
    if bed.isRunning { kill(bed.processIdentifier, SIGKILL) }
  }

  // MARK: - Running

  /// Runs a command on one host and returns what it left behind.
  public func run(
    on host: Int, _ arguments: [String], environment: [String: String?] = [:], in directory: URL? = nil,
    timeLimit: Double = 60, intervention: Intervention? = nil
  ) throws -> CommandResult {
    let directory = directory?.path ?? FileManager.default.currentDirectoryPath
    return try TestSupport.run(
      entries[host] + [directory] + arguments, environment: environment, timeLimit: timeLimit,
      intervention: intervention)
  }

  /// Runs a program under `mpirun` on the hosts; one job on the machine at a time.
  ///
  /// - Parameters:
  ///   - ranks: on each host; ranks that follow one another share a host.
  ///   - options: further options of `mpirun`; ranks are not bound and may outnumber cores.
  ///   - environment: variables for `mpirun` and all ranks.
  public func mpirun(
    ranks: [Int], _ arguments: [String], options: [String] = [], environment: [String: String] = [:],
    in directory: URL? = nil, timeLimit: Double = 120, intervention: Intervention? = nil
  ) throws -> CommandResult {
    oneJob.lock()
    defer { oneJob.unlock() }
    let places = ranks.indices.filter { ranks[$0] > 0 }.map { "node\($0):\(ranks[$0])" }.joined(separator: ",")
    // The library's settings reach all ranks by themselves.
    let exports = environment.keys.sorted().filter { !$0.hasPrefix("OMPI_MCA_") }.flatMap { ["-x", $0] }
    return try run(
      on: 0,
      ["mpirun", "--host", places, "-np", "\(ranks.reduce(0, +))"] + exports + options + arguments,
      environment: environment, in: directory, timeLimit: timeLimit, intervention: intervention)
  }

  /// Runs a program with equally many ranks on each host.
  public func mpirun(
    ranksPerHost: Int, _ arguments: [String], options: [String] = [], environment: [String: String] = [:],
    in directory: URL? = nil, timeLimit: Double = 120, intervention: Intervention? = nil
  ) throws -> CommandResult {
    try mpirun(
      ranks: [Int](repeating: ranksPerHost, count: count), arguments, options: options, environment: environment,
      in: directory, timeLimit: timeLimit, intervention: intervention)
  }

  /// The processes of this machine that live in one of the network namespaces.
  public static func processes(in networks: Set<String>) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { process in
      let network = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
      return network.map(networks.contains) ?? false
    }
  }

  // MARK: - Orders

  /// The two values as `launch/hosts` takes them, each after its flag if there are flags.
  static func shape(_ bandwidth: Bandwidth?, _ latency: Latency?, _ flags: String...) -> [String] {
    let values = [bandwidth?.text ?? "none", latency?.text ?? "none"]
    return flags.isEmpty ? values : zip(flags, values).flatMap { [$0, $1] }
  }

  /// Has the hosts do something, and returns when it is done.
  func order(_ text: String) throws {
    orderly.lock()
    defer { orderly.unlock() }
    try orders.fileHandleForWriting.write(contentsOf: Data("\(text)\n".utf8))
    _ = try answer(upTo: "ok")
  }

  /// The lines before the one that says all went well.
  private func answer(upTo last: String) throws -> [String] {
    var lines: [String] = []
    while true {
      while let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: unread[..<end], as: UTF8.self)
        unread = Data(unread[(end + 1)...])
        if line == last { return lines }
        if line == "failed" { throw HostsError(description: lines.joined(separator: "\n")) }
        lines.append(line)
      }
      let more = answers.fileHandleForReading.availableData
      guard !more.isEmpty else { throw HostsError(description: lines.joined(separator: "\n")) }
      unread += more
    }
  }
}

/// Hosts that could not be made, or an order that could not be carried out.
public struct HostsError: Error, CustomStringConvertible {
  public let description: String
}
