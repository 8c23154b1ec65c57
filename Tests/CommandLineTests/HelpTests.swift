import Foundation
import TestSupport
import Testing
import Training

/// The help of every command, as it was last looked at: Snapshots/….txt.
///
/// After a change on purpose, `UPDATE_SNAPSHOTS=1 launch/test --filter HelpTests` writes them anew, for review.
@Suite struct HelpTests {
  private static let snapshots = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Snapshots")
  private static let updates = ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] == "1"

  private func help(_ arguments: [String]) throws -> String {
    let result = try run([product("swift-dp-train")] + arguments, environment: ["COLUMNS": "100"], timeLimit: 20)
    #expect(result.exitCode == 0 && result.standardError == "", "\(result.transcript)")
    return result.standardOutput
  }

  private func expectSnapshot(_ text: String, _ name: String) throws {
    let file = Self.snapshots.appendingPathComponent("\(name).txt")
    if Self.updates { try Data(text.utf8).write(to: file) }
    let kept = try? String(contentsOf: file, encoding: .utf8)
    #expect(text == kept, "\(file.lastPathComponent) differs; see HelpTests on how to renew it")
  }

  @Test func helpIsAsReviewed() throws {
    let root = try help(["--help"])
    try expectSnapshot(root, "help")
    // Commands stand indented below their heading, the longer descriptions on further lines.
    let commands = root.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().joined()
      .matches(of: /(?m)^  ([a-z]+)( |$)/).map { String($0.output.1) }
    #expect(commands.contains("train"), "\(commands)")
    for command in commands {
      let text = try help([command, "--help"])
      #expect(try help(["help", command]) == text)
      try expectSnapshot(text, "help-\(command)")
    }
  }

  /// What help calls a default is one.
  @Test func defaultsInHelpAreTheRecipes() throws {
    let text = try help(["train", "--help"]).replacing(/\n {10,}/, with: " ")
    let defaults = text.matches(of: /(?m)^  --([a-z-]+) .*\(default: ([^ )]+)\)/)
      .map { (flag: String($0.output.1), value: String($0.output.2)) }
    let settings = Recipe().settings()
    var compared = 0
    for (flag, value) in defaults {
      guard let setting = settings.first(where: { $0.key == flag }), let actual = setting.value else { continue }
      compared += 1
      #expect(actual == value || Double(actual) ?? .nan == Double(value), "--\(flag): help \(value), recipe \(actual)")
    }
    #expect(compared >= 15, "\(defaults)")
  }

  @Test func severalRanksShowHelpOnce() throws {
    let job = try mpirun(np: 3, [product("swift-dp-train"), "--version"], options: ["-q", "--bind-to", "none"])
    #expect(job.exitCode == 0 && job.standardOutput == Version.text + "\n", "\(job.transcript)")
  }
}
