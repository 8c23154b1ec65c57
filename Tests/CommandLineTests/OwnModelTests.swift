import Foundation
import TestSupport
import Testing

/// The example of the documentation: built with the package, run as its text says.
@Suite struct OwnModelTests {
  @Test func exampleTrainsOnTwoRanks() throws {
    let directory = try TemporaryDirectory()
    let run = directory.url.path + "/run"
    let result = try mpirun(np: 2, [product("own-model"), run, "3"], timeLimit: 120)
    #expect(result.exitCode == 0, "\(result.transcript)")
    #expect(result.standardError.contains("model tiny · "), "\(result.transcript)")
    #expect(result.standardOutput.hasPrefix("done  3 steps"), "\(result.transcript)")
    #expect(FileManager.default.fileExists(atPath: run + "/model.safetensors"))
    let settings = try String(contentsOfFile: run + "/config.yaml", encoding: .utf8)
    #expect(settings.hasPrefix("model: tiny\n"), "\(settings)")
    // The trainer does not know the model, and takes no other for it.
    let evaluation = try TestSupport.run([product("swift-dp-train"), "evaluate", "--run", run], timeLimit: 30)
    #expect(
      evaluation.exitCode == 64 && evaluation.standardError.contains("--model tiny is not known"),
      "\(evaluation.transcript)")
  }

  @Test func readmeShowsTheExample() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
    let example = try String(contentsOf: root.appendingPathComponent("docs/own-model/main.swift"), encoding: .utf8)
    let start = try #require(readme.range(of: "```swift\n"))
    let end = try #require(readme.range(of: "```", range: start.upperBound..<readme.endIndex))
    #expect(example.contains(readme[start.upperBound..<end.lowerBound]))
    #expect(example.split(separator: "\n").count <= 30)
  }
}
