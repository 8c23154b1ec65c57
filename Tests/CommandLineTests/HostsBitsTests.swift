import Foundation
import TestSupport
import Testing

/// The same bits on any hosts, over a real network between them.
@Suite(
  .serialized, .enabled(if: Hosts.obstacle == nil, Comment(rawValue: Hosts.obstacle ?? ""))
)
struct HostsBitsTests {
  @Test(arguments: [
    "--model lenet5 --batch-size 25 --epochs 1 --bucket-size 16KiB --clip-norm 0.5",
    "--model mlp --batch-size 30 --steps 3 --transport messages",
    "--model mlp --batch-size 30 --steps 3 --all-reduce halving-doubling --bucket-size 64KiB --overlap off",
    "--model mlp --batch-size 30 --steps 3 --all-reduce hierarchical --update replicated",
  ])
  func bitsAreEqual(_ settings: String) throws {
    try expectEqualBits(settings, on: [[2, 2], [1, 2, 1], [1, 1]])
  }

  /// Methods and codecs go other ways there than within a node.
  @Test(arguments: [
    "--method local --local-steps 2 --local-momentum average", "--method easgd --local-steps 2",
    "--method stochastic-push --push-overlap", "--compress 1-bit", "--compress dgc:0.05:0 --clip-norm 0.5",
    "--compress powersgd:2",
  ])
  func bitsOfMethodsAreEqual(_ method: String) throws {
    try expectEqualBits("--model mlp --batch-size 30 --epochs 2 " + method, on: [[2, 1]])
  }

  private func expectEqualBits(_ settings: String, on placements: [[Int]]) throws {
    let arguments =
      synthetic("1x12x12", train: 60, test: 300) + settings.split(separator: " ").map(String.init)
      + ["--seed", "7", "--shards", "4", "--log-every", "1"]
    let reference = try record(arguments, .alone)
    for ranks in placements {
      let directory = try TemporaryDirectory()
      let hosts = try Hosts(count: ranks.count, bandwidth: .gigabits(1))
      let job = try hosts.mpirun(
        ranks: ranks, [product("swift-dp-train"), "train", "--run-dir", "run"] + arguments, options: ["-q"],
        in: directory.url)
      try #require(job.exitCode == 0, "\(job.transcript)")
      let other = try Record(job, directory: directory.url.appendingPathComponent("run"))
      let difference = other.difference(from: reference)
      #expect(difference == nil, "\(ranks): \(difference ?? "")")
      #expect(try other.value("state_sha256") == reference.value("state_sha256"))
    }
  }
}
