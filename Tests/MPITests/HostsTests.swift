import Foundation
import TestSupport
import Testing

/// Several hosts in namespaces: what the tests of networks and faults stand on, and MPI between real nodes.
@Suite(
  .serialized,
  .enabled(if: Hosts.obstacle == nil, Comment(rawValue: Hosts.obstacle ?? ""))
)
struct HostsTests {
  private let conformance = product("mpi-conformance")

  @Test func everyHostIsAnotherMachine() throws {
    let hosts = try Hosts(count: 3)
    let seen = try (0..<3).map { host in
      try hosts.run(on: host, ["sh", "-c", "hostname; ls -A /dev/shm; ls -d /proc/[0-9]* | head -n 1"]).standardOutput
    }
    #expect(seen == (0..<3).map { "node\($0)\n/proc/1\n" })
    let directory = try TemporaryDirectory()
    let job = try hosts.mpirun(ranksPerHost: 1, ["sh", "-c", "hostname; echo $WORD"], environment: ["WORD": "x"])
    #expect(job.standardOutput.split(separator: "\n").sorted() == ["node0", "node1", "node2", "x", "x", "x"])
    #expect(try hosts.run(on: 2, ["pwd"], in: directory.url).standardOutput == directory.url.path + "\n")
    #expect(try hosts.run(on: 1, ["sh", "-c", "exit 7"]).exitCode == 7)
  }

  @Test func allChecksHold() throws {
    let hosts = try Hosts(count: 2)
    let job = try hosts.mpirun(ranksPerHost: 2, [conformance, "nodes", "2", "2"])
    #expect(job.exitCode == 0 && job.standardOutput.hasSuffix("checks hold\n"), "\(job.transcript)")
    // The check can fail: these are not the nodes.
    let other = try hosts.mpirun(ranks: [1, 2], [conformance, "nodes", "2", "1"])
    #expect(other.exitCode == 1 && other.standardOutput.contains("ranks on the node: [0], expected [0, 1]"))
  }

  @Test func aLinkIsAsFastAsAsked() throws {
    let hosts = try Hosts(count: 2, bandwidth: .megabits(100))
    // The best of a few: where other tests have the cores a link waits for its ranks.
    func rate(_ megabytes: Int, atLeast wanted: Double) throws -> Double {
      var best = 0.0
      for _ in 0..<5 where best < wanted {
        let job = try hosts.mpirun(ranksPerHost: 1, [conformance, "stream", "\(megabytes)"])
        let text = job.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
        best = max(best, try #require(Double(text), "\(job.transcript)"))
      }
      return best
    }
    let slow = try rate(4, atLeast: 0.5 * Bandwidth.megabits(100).bytesPerSecond)
    #expect(0.5...1.1 ~= slow / Bandwidth.megabits(100).bytesPerSecond, "\(slow) bytes a second at 100 Mbit/s")
    try hosts.shape(.megabits(400))
    let fast = try rate(16, atLeast: 0.4 * Bandwidth.megabits(400).bytesPerSecond)
    #expect(0.4...1.1 ~= fast / Bandwidth.megabits(400).bytesPerSecond, "\(fast) bytes a second at 400 Mbit/s")
    try hosts.shape(nil)
    let free = try rate(100, atLeast: 2 * Bandwidth.megabits(400).bytesPerSecond)
    #expect(free > 2 * Bandwidth.megabits(400).bytesPerSecond, "\(free) bytes a second, not limited")
  }

  /// Where the kernel has netem; elsewhere hosts say that they cannot.
  @Test func aDelayIsKeptOrRefused() throws {
    let hosts = try Hosts(count: 2)
    do { try hosts.shape(nil, latency: .microseconds(20_000)) } catch let error as HostsError {
      #expect(error.description.contains("this kernel has no netem"))
      return
    }
    let login = try hosts.run(on: 0, logins(to: 1))
    // A login takes several messages to and fro.
    #expect(login.exitCode == 0 && login.seconds > 0.08, "\(login.transcript)")
  }

  @Test func faultsComeAndGo() throws {
    let hosts = try Hosts(count: 2)
    func reachable() throws -> Bool { try hosts.run(on: 0, logins(to: 1)).exitCode == 0 }
    #expect(try reachable())
    try hosts.freeze(1)
    #expect(try !reachable())
    try hosts.thaw(1)
    #expect(try reachable())
    try hosts.cutLink(1)
    #expect(try !reachable())
    try hosts.mendLink(1)
    #expect(try reachable())
    try hosts.killHost(1)
    #expect(try !reachable())
    #expect(throws: HostsError.self) { try hosts.thaw(1) }
  }

  private func logins(to host: Int) -> [String] {
    ["ssh", "-F", "/run/hosts/ssh-config", "-o", "ConnectTimeout=1", "node\(host)", "true"]
  }

  @Test func aJobEndsWithAHostThatIsLost() throws {
    let hosts = try Hosts(count: 2)
    let job = try hosts.mpirun(
      ranksPerHost: 2, [conformance, "wait"], timeLimit: 30,
      intervention: Intervention(afterOutput: "rank 3 waits") { try hosts.killHost(1) })
    #expect(job.exitCode != 0 && !job.timedOut && job.standardOutput.contains("rank 3 waits"), "\(job.transcript)")
    let processes = try hosts.run(on: 0, ["sh", "-c", "cat /proc/[0-9]*/comm"]).standardOutput
    #expect(!processes.contains("mpi-conformance") && processes.contains("dropbear"), "\(processes)")
  }

  /// Removed, or left by a process that was killed: no process, and with it no namespace and no mount.
  @Test(arguments: [true, false]) func nothingIsLeft(removed: Bool) throws {
    let links = try run(["ip", "-o", "link"]).standardOutput
    let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
    let hosts = try Hosts(count: 2)
    let job = try hosts.mpirun(
      ranksPerHost: 1, [conformance, "wait"], timeLimit: 30,
      intervention: Intervention(afterOutput: "rank 1 waits") {
        let processes = try Hosts.processes(in: hosts.networks)
        #expect(processes.count >= 7, "the bed, two servers, mpirun and a daemon, two ranks: \(processes)")
        if removed { hosts.remove() } else { kill(hosts.processIdentifier, SIGKILL) }
      })
    #expect(
      job.exitCode != 0 && !job.timedOut && job.standardOutput.contains("rank 1 waits"), "\(job.transcript)")
    hosts.remove()
    // A killed process gives its memory back before it is gone.
    for _ in 0..<100 where try !Hosts.processes(in: hosts.networks).isEmpty { usleep(20_000) }
    #expect(try Hosts.processes(in: hosts.networks) == [])
    #expect(try run(["ip", "-o", "link"]).standardOutput == links)
    #expect(try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8) == mounts)
  }
}
