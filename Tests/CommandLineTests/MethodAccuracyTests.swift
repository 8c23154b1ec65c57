import Foundation
import TestSupport
import Testing
import Training

/// The experiments of docs/methods.md (`Benchmarks/methods`) in a short form: every codec and method learns real images.
@Suite(.serialized) struct MethodAccuracyTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let files = root.appendingPathComponent("Benchmarks/methods")

  /// What 200 steps of 32 samples may lose against dense synchronous SGD, in points; 20 where nothing is said: so few steps leave
  /// those behind that begin slowly.
  private static let losses: [String: Double] = [
    "float16": 4, "bfloat16": 4, "8-bit": 4, "qsgd": 4, "stochastic-push": 4,
  ]

  @Test func allLearnInTwoHundredSteps() throws {
    let directory = try TemporaryDirectory()
    // Openings of an epoch would be all of so short a run.
    var settings = try String(contentsOf: Self.files.appendingPathComponent("every.yaml"), encoding: .utf8)
    for (opening, shorter) in [("dgc:0.01:1", "dgc:0.01:0"), ("local-after: 1", "local-after: 0.05")] {
      #expect(settings.contains(opening))
      settings = settings.replacingOccurrences(of: opening, with: shorter)
    }
    let file = directory.url.appendingPathComponent("every.yaml").path
    try settings.write(toFile: file, atomically: true, encoding: .utf8)
    let job = try Launch.ranks(4).run(
      [
        "compare", file, "--out", "out", "--steps", "200", "--base", "model=lenet5", "--base", "batch-size=32",
        "--base", "hold-out=2000",
      ],
      in: directory.url, timeLimit: 240)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let log = try String(contentsOf: directory.url.appendingPathComponent("out/report.csv"), encoding: .utf8)
    let rows = log.split(separator: "\n").dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    let accuracies = Dictionary(uniqueKeysWithValues: rows.map { (String($0[0]), Double($0[3]) ?? 0) })
    let dense = try #require(accuracies["synchronous"])
    #expect(dense > 70, "\(log)")
    for (name, accuracy) in accuracies {
      #expect(accuracy > dense - Self.losses[name, default: 20], "\(name): \(accuracy) of \(dense)\n\(log)")
    }
    #expect(Set(Self.losses.keys).isSubset(of: accuracies.keys))
  }

  /// The tables name every run.
  @Test(arguments: ["every", "links", "stragglers", "large-batch"]) func theTablesAreOfTheseRuns(_ name: String) throws
  {
    let text = try String(contentsOf: Self.files.appendingPathComponent("\(name).yaml"), encoding: .utf8)
    let page = try String(contentsOf: Self.root.appendingPathComponent("docs/methods.md"), encoding: .utf8)
    let runs = text.components(separatedBy: "\nruns:\n")[1].matches(of: /(?m)^  ([A-Za-z0-9-]+):/).map { String($0.1) }
    let parts = ["every": ["lenet5", "cnn"], "links": ["links-1gbit", "links-100mbit"]][name] ?? [name]
    for part in parts {
      let table = try #require(page.components(separatedBy: "<!-- \(part) -->\n").dropFirst().first)
        .components(separatedBy: "<!-- end -->")[0]
      let rows = table.matches(of: /(?m)^\| `([A-Za-z0-9-]+)` \|/).map { String($0.1) }
      #expect(rows == runs, "\(part)")
    }
  }
}
