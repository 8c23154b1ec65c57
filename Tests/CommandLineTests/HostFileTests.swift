import Foundation
import TestSupport
import Testing

/// `launch/run` with a host file over ssh, by root and by a normal user, on hosts in namespaces.
///
/// The user is known to the hosts only and owns nothing but the directory of the run, as on a cluster.
@Suite(
  .serialized, .enabled(if: Site.obstacle == nil, Comment(rawValue: Site.obstacle ?? "")),
  .timeLimit(.minutes(4)))
struct HostFileTests {
  static let users = ["root", "someone"]

  private static let untouched = Result {
    try record(Site.arguments + ["--shards", "4"], .alone).value("state_sha256")
  }

  private func expectUntouched(_ site: Site, _ user: String) throws {
    let outcome = try site.outcome()
    #expect(try outcome.state == Self.untouched.get())
    #expect((outcome.owner == 0) == (user == "root"), "written by user \(outcome.owner)")
  }

  /// A rank on the other host than the launcher's.
  @Test(arguments: users) func aKilledRankIsStartedAgain(_ user: String) throws {
    let site = try Site()
    let hosts = try Hosts(count: 2, user: user)
    let job = try hosts.run(
      on: 0, site.command, in: site.work, timeLimit: 60,
      intervention: Intervention(afterOutput: "step ") {
        site.waitForACheckpoint()
        kill(try #require(processes(of: site.run)[3]), SIGKILL)
      })
    try #require(job.exitCode == 0 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains(#/ended with 137 .+ Starting it again on 4 ranks in 0 s, from .+\/step-/#),
      "\(job.transcript)")
    try expectUntouched(site, user)
  }

  @Test(arguments: users) func aSignalSavesAndEndsTheJob(_ user: String) throws {
    let site = try Site()
    let hosts = try Hosts(count: 2, user: user)
    let job = try hosts.run(
      on: 0, site.command, in: site.work, timeLimit: 60,
      intervention: Intervention(afterOutput: "step ") { kill(try site.launcher(), SIGTERM) })
    try #require(job.exitCode == 75 && !job.timedOut, "\(job.transcript)")
    #expect(
      job.standardError.contains("asking the job to save and end") && !job.standardError.contains("Starting it again"),
      "\(job.transcript)")
    let again = try hosts.run(on: 0, site.command, in: site.work, timeLimit: 60)
    try #require(again.exitCode == 0 && again.standardError.contains("going on from "), "\(again.transcript)")
    try expectUntouched(site, user)
  }
}

/// A directory that every user can read, with the trainer, the scripts, a host file, and a place to write.
private struct Site {
  static let arguments =
    synthetic("1x8x8", train: 640, test: 100)
    + ["--model", "mlp", "--dropout", "0.1", "--batch-size", "64", "--seed", "7", "--threads-per-shard", "1"]
    + ["--steps", "40", "--save-every", "4"]

  /// Why these tests cannot be, in one sentence; nil if they can.
  static let obstacle: String? = {
    if let obstacle = Hosts.obstacle { return obstacle }
    do {
      let site = try Site()
      let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
      let job = try TestSupport.run(nobody + [site.program, "--version"], timeLimit: 20)
      return job.exitCode == 0 ? nil : "A normal user cannot run the trainer here. \(job.standardError)"
    } catch { return "\(error)" }
  }()

  private let directory: TemporaryDirectory
  let work: URL
  var program: String { directory.url.appendingPathComponent("swift-dp-train").path }

  init() throws {
    directory = try TemporaryDirectory()
    // By another process: what this one has open for writing, commands of other tests may have too, and it cannot be run.
    let scripts = URL(fileURLWithPath: launchScript("run")).deletingLastPathComponent().path
    let copy = try TestSupport.run(["cp", "-r", scripts, product("swift-dp-train"), directory.url.path])
    try #require(copy.exitCode == 0, "\(copy.transcript)")
    _ = try TestSupport.run(["chmod", "-R", "a+rX", directory.url.path])
    work = directory.url.appendingPathComponent("work")
    let files = FileManager.default
    try files.createDirectory(at: work, withIntermediateDirectories: false)
    try files.setAttributes([.posixPermissions: 0o777], ofItemAtPath: work.path)
    try Data("node0 slots=2\nnode1 slots=2\n".utf8).write(to: work.appendingPathComponent("hosts"))
  }

  /// The words that train on all slots of the host file.
  var command: [String] {
    [directory.url.appendingPathComponent("launch/run").path, "--program", program, "--hostfile", "hosts"]
      + ["--back-off", "0", "--", "--run-dir", run] + Self.arguments
  }

  var run: String { work.appendingPathComponent("run").path }

  /// The state of the finished run, and the number of the user who wrote it down.
  func outcome() throws -> (state: String, owner: Int) {
    let path = run + "/summary.json"
    let summary = try Data(contentsOf: URL(fileURLWithPath: path))
    let all = try #require(try JSONSerialization.jsonObject(with: summary) as? [String: Any])
    let owner = try FileManager.default.attributesOfItem(atPath: path)[.ownerAccountID] as? Int
    return (try #require(all["state_sha256"] as? String), try #require(owner))
  }

  func waitForACheckpoint() {
    for _ in 0..<3000 {
      let found = (try? FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints")) ?? []
      if found.contains(where: { $0.hasPrefix("step-") }) { return }
      usleep(10_000)
    }
  }

  /// The process of `launch/run`, of which those that it makes of itself are the younger ones.
  func launcher() throws -> pid_t {
    let found = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(pid_t.init).filter {
      process in
      let words = (contents(ofFile: "/proc/\(process)/cmdline") ?? Data()).split(separator: 0)
      return words.count > 1 && words[0] == Data("bash".utf8) && words[1] == Data(command[0].utf8)
    }
    return try #require(found.min())
  }
}
