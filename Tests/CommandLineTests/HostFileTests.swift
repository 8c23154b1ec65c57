import Foundation
import TestSupport
import Testing

/// `launch/run` with a host file over ssh, by root and by a normal user, on hosts in namespaces.
///
/// The user is known to the hosts only and owns nothing but the directory of the run, as on a cluster.
@Suite(.serialized, .enabled(if: Site.obstacle == nil, Comment(rawValue: Site.obstacle ?? "")))
struct HostFileTests {
  static let users = ["root", "someone"]

  private static let untouched = Result {
    try record(Site.arguments + ["--shards", "4"], .alone).value("state_sha256")
  }

  /// Asked to stop, gone on with, and a rank killed on the other host than the launcher's.
  @Test(arguments: users) func aRunThatIsStoppedAndKilledHasTheUntouchedBits(_ user: String) throws {
    let site = try Site()
    let hosts = try Hosts(count: 2, user: user)
    /// Every start saves before the action, for the killed one is to go on from a checkpoint.
    func start(_ action: @escaping () throws -> Void) throws -> CommandResult {
      try hosts.run(
        on: 0, site.command, in: site.work, timeLimit: 60,
        intervention: Intervention(afterOutput: "save  step ", action))
    }
    // Who starts it makes no difference to this; root's signals are those of `SupervisionTests`.
    if user != "root" {
      let stopped = try start { kill(try site.launcher(), SIGTERM) }
      try #require(stopped.exitCode == 75 && !stopped.timedOut, "\(stopped.transcript)")
      #expect(
        stopped.standardError.contains("asking the job to save and end")
          && !stopped.standardError.contains("Starting it again"), "\(stopped.transcript)")
    }

    let killed = try start { kill(try #require(processes(of: site.run)[3]), SIGKILL) }
    try #require(killed.exitCode == 0 && !killed.timedOut, "\(killed.transcript)")
    #expect(
      killed.standardError.contains(#/ended with 137 .+ Starting it again on 4 ranks in 0 s, from .+\/step-/#),
      "\(killed.transcript)")
    let outcome = try site.outcome()
    #expect(try outcome.state == Self.untouched.get())
    #expect((outcome.owner == 0) == (user == "root"), "written by user \(outcome.owner)")
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
    work = directory.url.appendingPathComponent("work")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: false)
    try Data("node0 slots=2\nnode1 slots=2\n".utf8).write(to: work.appendingPathComponent("hosts"))
    let open = try TestSupport.run(["sh", "-c", "chmod -R a+rX . && chmod a+w work"], in: directory.url)
    try #require(open.exitCode == 0, "\(open.transcript)")
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
