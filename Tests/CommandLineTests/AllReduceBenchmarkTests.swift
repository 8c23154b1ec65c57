import Foundation
import TestSupport
import Testing
import Training

/// `bench all-reduce`: who is measured, and the file that scripts read.
@Suite(.serialized) struct AllReduceBenchmarkTests {
  @Test func sizesGoUpByFours() {
    #expect(AllReduceBenchmark.sizes(upTo: 3) == [])
    #expect(AllReduceBenchmark.sizes(upTo: 16) == [4, 16])
    #expect(AllReduceBenchmark.sizes(upTo: 100) == [4, 16, 64])
    let all = AllReduceBenchmark.sizes(upTo: 256 << 20)
    #expect(all.count == 16 && all.last == 256 << 20 && all.contains(26_214_400) && all.contains(104_857_600))
  }

  /// A row for each algorithm over messages, for each order in shared memory, and for the library.
  @Test(arguments: [1, 2, 3]) func theFileHasARowForEachContender(ranks: Int) throws {
    let rows = try rows(ranks, ["--sizes", "4,4KiB,100KiB", "--algorithms", "all"])
    let messages = [
      "ring", "segmented-ring", "halving-doubling", "recursive-doubling", "hierarchical", "torus", "double-tree",
      "auto",
    ]
    for bytes in ["4", "4096", "102400"] {
      let own = rows.filter { $0["bytes"] == bytes }
      #expect(own.filter { $0["transport"] == "messages" }.compactMap { $0["algorithm"] } == messages)
      #expect(own.filter { $0["transport"] == "mpi" }.compactMap { $0["algorithm"] } == ["native"])
      for transport in ["shared-memory", "shared-memory-copied"] {
        let shared = own.filter { $0["transport"] == transport }.compactMap { $0["algorithm"] }
        #expect(shared == (ranks == 1 ? [] : ["ring", "halving-doubling", "hierarchical", "double-tree"]))
      }
    }
    for row in rows {
      let (p, n) = (Double(ranks), try number(row, "bytes"))
      #expect(row["ranks"] == "\(ranks)" && row["shards"] == "\(ranks)")
      let times = try ["min_us", "median_us", "p99_us"].map { try number(row, $0) }
      #expect(times[0] > 0 && times == times.sorted(), "\(row)")
      let bandwidth = 2 * (p - 1) / p * n / (times[1] * 1000)
      #expect(abs(try number(row, "busbw_gbs") - bandwidth) <= 1e-4 + 1e-2 * bandwidth, "\(row)")
      #expect(try number(row, "copy_gbs") > 0)
    }
  }

  /// A rank may host several shards.
  @Test func shardsMayBeMoreThanRanks() throws {
    let rows = try rows(2, ["--sizes", "1KiB", "--shards", "5"])
    #expect(rows.compactMap { $0["shards"] } == Array(repeating: "5", count: 8))
  }

  /// The picture has a line for each contender and one for the copy, with a point for each size.
  @Test func thePictureShowsTheFile() throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(2).run(
      ["bench", "all-reduce", "--seconds", "0.05", "--svg", "times.svg", "--sizes", "64,4KiB"], in: directory.url,
      timeLimit: 60)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let svg = try String(contentsOf: directory.url.appendingPathComponent("times.svg"), encoding: .utf8)
    for name in [
      "ring, messages", "ring, shared-memory", "halving-doubling, messages", "halving-doubling, shared-memory",
      "ring, shared-memory-copied", "halving-doubling, shared-memory-copied",
      "recursive-doubling, messages", "native, mpi", "copy",
    ] {
      #expect(svg.contains(">\(name)</text>"), "\(name)")
    }
    #expect(svg.matches(of: #/<polyline /#).count == 9 && svg.matches(of: #/<circle /#).count == 18)
    #expect(svg.contains(">Sum over 2 ranks</text>"))
  }

  /// A rank's standard output is a pipe or a terminal of the launcher.
  @Test func theFileMayBeTheStandardOutput() throws {
    let directory = try TemporaryDirectory()
    // By a link, so that a mistake here costs the machine no device.
    try FileManager.default.createSymbolicLink(
      atPath: directory.url.appendingPathComponent("figures").path, withDestinationPath: "/dev/stdout")
    let arguments = ["--seconds", "0.05", "--sizes", "64", "--algorithms", "ring", "--csv", "figures"]
    let job = try Launch.ranks(2).run(["bench", "all-reduce"] + arguments, in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 0, "\(job.transcript)")
    #expect(job.standardOutput.hasPrefix("bytes,algorithm,transport,"), "\(job.transcript)")
    #expect(job.standardOutput.contains("\n64,ring,messages,2,2,"), "\(job.transcript)")
    #expect(job.standardOutput.contains("\n2 shards on 2 ranks\n"), "\(job.transcript)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["figures"])
  }

  private func rows(_ ranks: Int, _ arguments: [String]) throws -> [[String: String]] {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(ranks).run(
      ["bench", "all-reduce", "--seconds", "0.05", "--csv", "figures.csv"] + arguments, in: directory.url, timeLimit: 60
    )
    try #require(job.exitCode == 0, "\(job.transcript)")
    let text = try String(contentsOf: directory.url.appendingPathComponent("figures.csv"), encoding: .utf8)
    let lines = text.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    let names = try #require(lines.first)
    #expect(
      names.joined(separator: ",")
        == "bytes,algorithm,transport,ranks,shards,min_us,median_us,p99_us,busbw_gbs,copy_gbs")
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(names, $0)) }
  }

  private func number(_ row: [String: String], _ name: String) throws -> Double {
    try #require(row[name].flatMap(Double.init), "\(name) of \(row)")
  }
}
