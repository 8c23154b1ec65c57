import Foundation
import TestSupport
import Testing

/// The command that predicts, as a user sees it.
@Suite struct SimulateTests {
  private func simulate(_ arguments: String) throws -> CommandResult {
    try run([product("swift-dp-train"), "simulate"] + arguments.split(separator: " ").map(String.init), timeLimit: 120)
  }

  @Test func allReduceWritesTableCSVAndPlot() throws {
    let directory = try TemporaryDirectory()
    let (csv, svg) = (directory.url.appendingPathComponent("a.csv"), directory.url.appendingPathComponent("a.svg"))
    let result = try simulate(
      "all-reduce --ranks 8,256 --bytes 4,1MiB,64MiB --algorithms ring,halving-doubling --latency 20us "
        + "--bandwidth 10gbit --addition 0ns --csv \(csv.path) --svg \(svg.path)")
    #expect(result.exitCode == 0 && result.standardError == "", "\(result.transcript)")
    let lines = try String(contentsOf: csv, encoding: .utf8).split(separator: "\n").map { $0.split(separator: ",") }
    #expect(lines.count == 1 + 2 * 3 * 2)
    // 2(p − 1)α for one element: 14 and 510 rounds of which all carry that one.
    let times = Dictionary(
      uniqueKeysWithValues: lines.dropFirst().map { ($0[0...2].joined(separator: " "), Double($0[3]) ?? .nan) })
    let message = 20 + 4 * 8 / 10e3
    #expect(
      abs((times["8 4 ring"] ?? 0) - 14 * message) < 1e-3 && abs((times["256 4 ring"] ?? 0) - 510 * message) < 1e-3)
    #expect(abs((times["256 4 halving-doubling"] ?? 0) - 16 * message) < 1e-3)
    // The best of each line is named.
    #expect(result.standardOutput.contains(/256 +4 .*halving-doubling\n/), "\(result.standardOutput)")
    let picture = try String(contentsOf: svg, encoding: .utf8)
    #expect(picture.hasPrefix("<svg ") && picture.components(separatedBy: "<circle").count == 1 + 12)
  }

  @Test func equalCommandsPrintEqualText() throws {
    let command = "all-reduce --ranks 48 --ranks-per-node 4 --stragglers log-normal:0.2 --seed 5 --bytes 4KiB,4MiB"
    let (a, b) = (try simulate(command), try simulate(command))
    #expect(a.exitCode == 0 && a.standardOutput == b.standardOutput, "\(a.transcript)")
    #expect(try simulate(command.replacing("--seed 5", with: "--seed 6")).standardOutput != a.standardOutput)
  }

  @Test func stepPrintsEfficiency() throws {
    let result = try simulate("step --model resnet50 --compute 400ms --update 0ms --ranks 1,8,64 --algorithms ring")
    #expect(result.exitCode == 0, "\(result.transcript)")
    let lines = result.standardOutput.split(separator: "\n").filter { $0.contains(" ring ") }
    let efficiencies = lines.map { line in
      line.matches(of: /([0-9.]+)%/).compactMap { Double($0.output.1) }
    }
    #expect(efficiencies.count == 3 && efficiencies[0] == [100, 100], "\(result.standardOutput)")
    #expect(efficiencies[2][0] < efficiencies[1][0] && efficiencies[2][1] < efficiencies[2][0])
  }

  /// One rank takes three times as long: what the laws say, because exchanges cost next to nothing here.
  @Test func stragglersAreAsTheLawsSay() throws {
    let free = "--latency 0us --bandwidth 1000000gbit --addition 0ns --update 0ms"
    let result = try simulate(
      "stragglers --model lenet5 --compute 100ms --ranks 8,1024 --delay 3:200 --rank-batch 10 --servers 1024 " + free)
    #expect(result.exitCode == 0 && result.standardError == "", "\(result.transcript)")
    // Backup workers make 100 steps of 100 ms, in which the slow one has begun 34 gradients.
    let table = """
      ranks  method                        exchange    step  waiting  dropped    img/s  efficiency  over synchronous
          8  synchronous                  0.0236 µs  300 ms    58.3%               266       33.3%             1.00×
          8  local, H = 16                0.0236 µs  300 ms    58.3%               266       33.3%             1.00×
          8  easgd, H = 16                0.0236 µs  300 ms    58.3%               266       33.3%             1.00×
          8  stochastic-push              0.0135 µs  300 ms    57.7%               266       33.3%             1.00×
          8  downpour                      0.027 µs  109 ms     0.0%               733       91.7%             2.75×
          8  backup-workers, B = 1         0.027 µs  100 ms     0.0%     4.6%      699       87.5%             2.62×
          8  asynchronous-easgd, H = 16  0.00169 µs  109 ms     0.0%               733       91.7%             2.75×
          8  gossip, H = 16                    0 µs  109 ms     0.0%               733       91.7%             2.75×
          8  gosgd                             0 µs  109 ms     0.0%               733       91.7%             2.75×
      1,024  synchronous                   0.027 µs  300 ms    66.6%            34,133       33.3%             1.00×
      1,024  local, H = 16                 0.027 µs  300 ms    66.6%            34,133       33.3%             1.00×
      1,024  easgd, H = 16                 0.027 µs  300 ms    66.6%            34,133       33.3%             1.00×
      1,024  stochastic-push              0.0135 µs  300 ms    61.3%            34,133       33.3%             1.00×
      1,024  downpour                      0.027 µs  100 ms     0.0%           102,333       99.9%             3.00×
      1,024  backup-workers, B = 1         0.027 µs  100 ms     0.0%     0.0%  102,299       99.9%             3.00×
      1,024  asynchronous-easgd, H = 16  0.00169 µs  100 ms     0.0%           102,333       99.9%             3.00×
      1,024  gossip, H = 16                    0 µs  100 ms     0.0%           102,333       99.9%             3.00×
      1,024  gosgd                             0 µs  100 ms     0.0%           102,333       99.9%             3.00×
      """
    #expect(result.standardOutput.contains(table), "\(result.standardOutput)")
  }

  @Test func stragglersAreDrawnFromTheSeed() throws {
    let directory = try TemporaryDirectory()
    let csv = directory.url.appendingPathComponent("s.csv").path
    let svg = directory.url.appendingPathComponent("s.svg").path
    let command =
      "stragglers --compute 100ms --ranks 16,256 --delay random:50 --stragglers 0.05x2 --servers 64 --csv \(csv) --svg \(svg)"
    let (a, b) = (try simulate(command), try simulate(command))
    #expect(a.exitCode == 0 && a.standardOutput == b.standardOutput, "\(a.transcript)")
    #expect(try simulate(command + " --seed 6").standardOutput != a.standardOutput)
    let lines = try String(contentsOfFile: csv, encoding: .utf8).split(separator: "\n").map { $0.split(separator: ",") }
    #expect(lines.count == 1 + 2 * 9 && lines.allSatisfy { $0.count == 11 })
    #expect(try String(contentsOfFile: svg, encoding: .utf8).contains("stochastic-push"))
  }

  @Test func stragglersOfSixteenThousandRanks() throws {
    let result = try simulate("stragglers --compute 400ms --ranks 16384 --ranks-per-node 8 --delay exponential:100")
    #expect(result.exitCode == 0 && result.standardOutput.contains("16,384  downpour "), "\(result.transcript)")
  }

  /// As many ranks as a simulation takes, by the algorithms with few messages.
  @Test func sixteenThousandRanks() throws {
    let result = try simulate(
      "all-reduce --ranks 16384 --ranks-per-node 8 --bytes 25MiB "
        + "--algorithms ring,halving-doubling,recursive-doubling,double-tree,hierarchical")
    #expect(result.exitCode == 0, "\(result.transcript)")
    #expect(result.standardOutput.contains("536,838,144"), "2p(p − 1) messages of the ring: \(result.standardOutput)")
  }

  @Test(arguments: [
    ("all-reduce --ranks 0", "--ranks 0 cannot be: give numbers from 1 to 16384"),
    ("all-reduce --ranks 8,x", "--ranks 8,x cannot be"),
    ("all-reduce --ranks 20000", "--ranks 20000 cannot be"),
    ("all-reduce --network dialup", "--network dialup is not known; give one of 10gbit"),
    ("all-reduce --latency 20", "--latency 20 cannot be: give a time with its unit"),
    ("all-reduce --bandwidth 0gbit", "--bandwidth 0gbit cannot be: give bits a second above 0"),
    ("all-reduce --bytes 6", "--bytes 6 cannot be: give multiples of 4 bytes"),
    ("all-reduce --algorithms native", "--algorithms native cannot be: the MPI library chooses how"),
    ("all-reduce --algorithms bus", "--algorithms bus is not known"),
    ("all-reduce --stragglers 2x3", "--stragglers 2x3 cannot be"),
    ("all-reduce --ranks-per-node 0", "--ranks-per-node 0 cannot be"),
    ("all-reduce --ranks 1000 --shards-per-group 7 --algorithms torus", "--shards-per-group 7 with 1000 ranks"),
    ("step", "--compute"),
    ("step --compute 0ms", "--compute 0ms cannot be: give a time above 0"),
    ("step --compute 1s --model vgg99", "--model vgg99 is not known"),
    ("step --compute 1s --bucket-size 1", "--bucket-size 1 cannot be"),
    ("stragglers", "--compute"),
    ("stragglers --compute 1s --delay fast", "--delay fast cannot be: give RANK:MS, MS, random:MS or exponential:MS"),
    ("stragglers --compute 1s --ranks 64,8 --delay 9:5", "--delay 9:5 names rank 9, but 8 ranks compute"),
    ("stragglers --compute 1s --all-reduce native", "--all-reduce native cannot be: the MPI library chooses how"),
    ("stragglers --compute 1s --all-reduce ring,auto", "--all-reduce ring,auto cannot be: give one algorithm"),
    ("stragglers --compute 1s --steps 0", "--steps 0 cannot be: give at least 1"),
    ("stragglers --compute 1s --steps 10001", "--steps 10001 cannot be: give at most 10000"),
    ("stragglers --compute 1s --backup -1", "--backup"),
    ("stragglers --compute 1s --rank-batch 0", "--rank-batch 0 cannot be: give at least 1"),
    ("stragglers --compute 1s --servers 0", "--servers 0 cannot be: give at least 1"),
    (
      "stragglers --compute 1s --rank-batch 9223372036854775807",
      "--rank-batch 9223372036854775807 cannot be: give at most 2147483647"
    ),
    (
      "step --compute 1s --classes 9223372036854775807",
      "--classes 9223372036854775807 cannot be: give at most 1000000"
    ),
    ("step --compute 1e-300ns", "--compute 1e-300ns cannot be: give at least 1ns"),
    ("step --compute 1e300s", "--compute 1e300s cannot be: give a time above 0"),
    ("step --compute 1s --bandwidth 1e-300gbit", "--bandwidth 1e-300gbit cannot be: give bits a second above 0"),
    (
      "step --compute 1s --model mlp --input 65536x65536x65536",
      "parameters cannot be: give smaller images or fewer classes"
    ),
    (
      "stragglers --compute 1s --shards-per-group 2",
      "--shards-per-group 2 with --all-reduce auto cannot be: give --all-reduce hierarchical or torus, or leave it out"
    ),
    (
      "step --compute 1s --shards-per-group 2",
      "--shards-per-group 2 with --algorithms auto cannot be: give --algorithms hierarchical or torus, or leave it out"
    ),
    (
      "all-reduce --shards-per-group 2 --algorithms ring,auto",
      "--shards-per-group 2 with --algorithms ring,auto cannot be: give --algorithms hierarchical or torus"
    ),
  ]) func badFlagsAreRefused(_ arguments: String, _ message: String) throws {
    let result = try simulate(arguments)
    #expect(result.exitCode == 64 && result.standardError.contains(message), "\(result.transcript)")
    #expect(result.standardOutput == "")
  }
}
