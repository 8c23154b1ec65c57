import CSystem
import Collectives
import Dispatch
import Foundation
import MPI
import Synchronization

/// Sees that a job does not hang, and says who holds it up.
///
/// Every rank tells what it does in a page that its node shares (`Activity`). A thread of every rank looks at the page; the one of
/// the node's first rank tells rank 0's every second, over a connection of its own, because a rank that waits in MPI cannot
/// answer over MPI. Rank 0's thread judges (`JobWatch`):
///
///     a rank is gone                          say which, with host, process and signal; end with 71 where nobody else ends us
///     nobody has done anything for the limit  say who waits for whom, write the stacks, end with 70
///     nothing was printed for a while         a sign of life
///
/// A node that does not hear of rank 0 ends its ranks.
final class Watchdog: @unchecked Sendable {  // What the thread uses is its own, but for what is guarded by `lock`.
  /// What rank 0 shows.
  struct Voice: Sendable {
    var error: @Sendable (JobFailure) -> Void = { _ in }
    /// About every second, with what the slowest rank does.
    var signOfLife: @Sendable (String) -> Void = { _ in }
    init() {}
  }

  let activity: Activity
  private let page: NodePage
  private let limit: Double
  private let host: String
  private let isFirst: Bool
  private let voice: Voice
  private let lock = NSLock()
  private var report: WatchReport
  private let isOver = Atomic<Bool>(false)
  private let ended = DispatchSemaphore(value: 0)
  private var watch: JobWatch
  private let listener: ListeningSocket?
  private var nodes: [(host: String, socket: LineSocket)] = []
  private var pending: [LineSocket] = []
  private let token: String
  private let up: LineSocket?
  private var heardOfFirst: Double

  /// Connects the nodes and starts to watch. Collective.
  ///
  /// - Parameters:
  ///   - limit: seconds without any progress that are a hang.
  /// - Throws: 78 where a node cannot reach rank 0 within ten seconds.
  init(_ world: Communicator, limit: Double, voice: Voice) throws {
    let nodes = try Nodes(world)
    let host = MPILibrary.processorName
    self.limit = limit
    self.host = host
    self.voice = voice
    isFirst = world.rank == 0
    page = try NodePage(world, nodes)
    activity = page.own
    report = WatchReport()
    cs_write_stacks(SIGUSR2, "")
    watch = JobWatch(limit: limit)
    listener = world.rank == 0 && nodes.count > 1 ? ListeningSocket() : nil
    let own = listener.map { ["\($0.port)", "\(UInt64.random(in: 0...(.max)))"] + ListeningSocket.addresses() } ?? []
    let words = try world.broadcast(own.joined(separator: " ")).split(separator: " ").map(String.init)
    token = words.count > 1 ? words[1] : ""
    let isSpeaker = nodes.node.rank == 0 && world.rank != 0
    var up: LineSocket?
    if nodes.count > 1 {
      if isSpeaker, words.count > 2 {
        up = LineSocket.connect(toAnyOf: Array(words.dropFirst(2)), port: Int(words[0]) ?? 0, seconds: 10)
        up?.send(["hello \(token) \(host)"])
      }
      try world.agree {
        if isSpeaker && up == nil {
          let place = words.count > 2 ? "\(words.dropFirst(2).joined(separator: ", ")), port \(words[0])" : "no address"
          throw TrainingError(
            .launchProblem,
            "\(host) cannot reach rank 0 at \(place), over which its watchdog reports; open the network between the hosts, or "
              + "give --watchdog 0 to go without.")
        }
      }
    }
    self.up = up
    heardOfFirst = Self.now
    Thread.detachNewThread { [self] in run() }
  }

  /// Names of layers and buckets, once they are known.
  func tell(_ names: WatchReport.Names) { lock.withLock { report.names = names } }

  /// The directory of the run, where stacks go from now on; empty for none.
  func tell(directory: String, rank: Int) {
    lock.withLock { report.directory = directory }
    let stacks = "\(directory)/logs/stacks-\(zeroPadded(rank, 4)).txt"
    cs_write_stacks(SIGUSR2, directory.isEmpty ? "" : stacks)
  }

  /// This rank ends by itself. Returns when the thread has ended.
  func stop() {
    activity[.ending] = 1
    isOver.store(true, ordering: .relaxed)
    ended.wait()
  }

  private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

  // MARK: the thread

  private func run() {
    var lastWord = 0.0
    while !isOver.load(ordering: .relaxed) {
      let now = Self.now
      let isDue = now - lastWord >= watch.interval
      if isDue { lastWord = now }
      if isFirst {
        judge(now, speaks: isDue)
      } else if let up {
        report(to: up, now, speaks: isDue)
      }
      if page.place > 0 { lookAtSpeaker(now) }
      usleep(100_000)
    }
    for node in nodes { node.socket.send(["bye"]) }
    up?.send(["bye"])
    ended.signal()
  }

  private func judge(_ now: Double, speaks: Bool) {
    while let connection = listener?.accept() { pending.append(connection) }
    for connection in pending {
      for line in connection.receive() {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        if words.count == 3, words[0] == "hello", words[1] == token { nodes.append((words[2], connection)) }
        // The first word comes with the greeting; a host may not live to say a second.
        if let node = nodes.last, node.socket === connection, let status = RankStatus(line: line) {
          watch.hear(status, host: node.host, at: now)
        }
      }
    }
    pending.removeAll { connection in connection.isClosed || nodes.contains { $0.socket === connection } }
    for status in page.statuses { watch.hear(status, host: host, at: now) }
    for node in nodes {
      for status in node.socket.receive().compactMap({ RankStatus(line: $0) }) {
        watch.hear(status, host: node.host, at: now)
      }
      if speaks { node.socket.send(["alive"]) }
    }
    switch watch.verdict(at: now) {
    case .death(let dead): die(dead)
    case .hang(let hang): hangs(hang, now)
    case nil:
      guard speaks, let slowest = watch.slowest(at: now) else { return }
      let report = lock.withLock { self.report }
      let step = slowest.status.step
      voice.signOfLife(
        "in step \(grouped(step + 1)): rank \(slowest.status.rank) (\(slowest.host)) is \(report.text(slowest.status))"
      )
    }
  }

  private func hangs(_ hang: JobWatch.Hang, _ now: Double) {
    activity[.spoken] = 1
    let report = lock.withLock { self.report }
    voice.error(JobFailure(message: report.hang(hang, at: now), exitCode: ExitCode.hang.rawValue))
    for node in nodes { node.socket.send(["stacks"]) }
    writeStacks()
    nameFunctions(report)
    end(.hang)
  }

  private func die(_ dead: [JobWatch.Seen]) {
    activity[.spoken] = 1
    let report = lock.withLock { self.report }
    voice.error(JobFailure(message: report.death(dead), exitCode: ExitCode.rankFailed.rawValue))
    // The launcher ends us, unless it was told to let the others live.
    usleep(3_000_000)
    end(.rankFailed)
  }

  /// Ends this process and with it the job, without waiting for anybody.
  private func end(_ code: ExitCode) -> Never {
    for node in nodes { node.socket.send(["end \(code.rawValue)"]) }
    usleep(200_000)
    endNode(code.rawValue)
  }

  private func report(to first: LineSocket, _ now: Double, speaks: Bool) {
    for line in first.receive() {
      heardOfFirst = now
      let words = line.split(separator: " ")
      switch words.first {
      case "stacks": writeStacks()
      case "end": endNode(Int32(words.last ?? "") ?? ExitCode.rankFailed.rawValue)
      case "bye": heardOfFirst = .infinity
      default: break
      }
    }
    let statuses = page.statuses
    if speaks || statuses.contains(where: { $0.life == .dead }) { first.send(statuses.map(\.line)) }
    // Rank 0 says first what it knows.
    if now - heardOfFirst > limit + 10 {
      let rank = page.ranks[page.place]
      JobFailure(
        message:
          "rank \(rank) (\(host)) has heard nothing of rank 0 for \(duration(now - heardOfFirst)): the network between "
          + "them is cut, or its host does not go on. The ranks of this host are ended.",
        exitCode: ExitCode.hang.rawValue
      ).print()
      endNode(ExitCode.hang.rawValue)
    }
  }

  /// Ends this process. The launcher then ends the others, and gives this code; those that it leaves are ended after it.
  private func endNode(_ code: Int32) -> Never {
    activity[.ending] = 1
    for (index, status) in page.statuses.enumerated() where index != page.place {
      guard status.life == .running || status.life == .stopped, let process = page.process(of: index) else { continue }
      cs_kill_later(process, 3)
    }
    JobProcesses.endLauncherLater()
    _exit(code)
  }

  /// The node's first rank speaks for all. If it is gone or stopped, the next one that can speaks of the node.
  private func lookAtSpeaker(_ now: Double) {
    // One look at one process, as long as all is well: every rank of the node does this.
    let speaker = page.status(of: 0).life
    guard speaker == .dead || speaker == .stopped else { return }
    let statuses = page.statuses
    for status in statuses { watch.hear(status, host: host, at: now) }
    guard !page.activities.contains(where: { $0[.spoken] != 0 }),
      statuses.indices.first(where: { statuses[$0].life == .running }) == page.place
    else { return }
    let report = lock.withLock { self.report }
    switch watch.verdict(at: now) {
    case .death(let dead):
      activity[.spoken] = 1
      JobFailure(message: report.death(dead), exitCode: ExitCode.rankFailed.rawValue).print()
      usleep(3_000_000)
      endNode(ExitCode.rankFailed.rawValue)
    case .hang(let hang):
      activity[.spoken] = 1
      JobFailure(message: report.hang(hang, at: now), exitCode: ExitCode.hang.rawValue).print()
      writeStacks()
      nameFunctions(report)
      endNode(ExitCode.hang.rawValue)
    case nil: break
    }
  }

  /// In all files of stacks that this host sees: every rank runs the same program.
  private func nameFunctions(_ report: WatchReport) {
    guard !report.directory.isEmpty, let symbols = ExecutableSymbols() else { return }
    let logs = report.directory + "/logs"
    for name in (try? FileManager.default.contentsOfDirectory(atPath: logs)) ?? [] where name.hasPrefix("stacks-") {
      symbols.annotate(path: logs + "/" + name)
    }
  }

  /// Every rank of the node that can, this one last.
  private func writeStacks() {
    let order = page.activities.indices.sorted { ($0 == page.place ? 1 : 0, $0) < ($1 == page.place ? 1 : 0, $1) }
    for index in order where page.status(of: index).life == .running {
      if let process = page.process(of: index) { cs_signal_threads(process, SIGUSR2) }
    }
    usleep(300_000)
  }
}
