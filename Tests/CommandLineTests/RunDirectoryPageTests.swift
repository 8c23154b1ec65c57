import Foundation
import TestSupport
import Testing

/// docs/run-directory.md names everything that runs write, and its script reads it.
@Suite struct RunDirectoryPageTests {
  @Test func everyFieldIsDescribed() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appendingPathComponent("docs/run-directory.md"), encoding: .utf8)
    let directory = try TemporaryDirectory()
    let common =
      synthetic("1x8x8", train: 48, test: 20) + ["--model", "mlp", "--batch-size", "8", "--epochs", "2"]
    let export = try Launch.alone.run(
      [
        "checkpoint", "export", "--model", "mlp", "--input", "1x8x8", "--classes", "10", "--output",
        "start.safetensors",
      ],
      in: directory.url)
    try #require(export.exitCode == 0, "\(export.transcript)")
    var missing: Set<String> = []
    func look(_ value: Any) {
      if let list = value as? [Any] { list.forEach(look) }
      guard let object = value as? [String: Any] else { return }
      for (key, value) in object {
        if !page.contains("`\(key)`") { missing.insert(key) }
        look(value)
      }
    }
    for (name, arguments, launch) in [
      (
        "compressed", ["--compress", "qsgd:16", "--record-gradients", "3", "--init", "start.safetensors"],
        Launch.ranks(2)
      ),
      ("asynchronous", ["--method", "backup-workers", "--delay", "1:5"], .ranks(3)),
    ] {
      let job = try launch.run(["train", "--run-dir", name] + common + arguments, in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      let run = directory.url.appendingPathComponent(name)
      let events = try Data(contentsOf: run.appendingPathComponent("events.jsonl"))
      for line in events.split(separator: UInt8(ascii: "\n")) { look(try JSONSerialization.jsonObject(with: line)) }
      look(try JSONSerialization.jsonObject(with: Data(contentsOf: run.appendingPathComponent("summary.json"))))
      for file in try FileManager.default.contentsOfDirectory(atPath: run.path) {
        #expect(page.contains("\(file)"), "\(file) is described")
      }

      // The script of the page: step, seconds and accuracy of each evaluation.
      let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
      let begin = try #require(lines.firstIndex { $0 == "    import json, sys" })
      let script = lines[begin...].prefix { $0.hasPrefix("    ") }.map { $0.dropFirst(4) }.joined(separator: "\n")
      let curve = try self.run("python3", script, run.path)
      let rows = curve.split(separator: "\n").map { $0.split(separator: "\t") }
      #expect(rows.count == 2 && rows.map { $0[0] } == ["6", "12"], "\(curve)")
    }
    #expect(missing.isEmpty, "\(missing) are not described")
  }

  private func run(_ interpreter: String, _ script: String, _ argument: String) throws -> String {
    let result = try TestSupport.run([interpreter, "-c", script, argument], timeLimit: 30)
    try #require(result.exitCode == 0, "\(result.transcript)")
    return result.standardOutput
  }
}
