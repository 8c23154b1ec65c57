import ArgumentParser
import Collectives
import MPI
import Training

struct BenchAllReduceCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "all-reduce", abstract: "Time the sum of a buffer over all shards, by each algorithm and size.",
    discussion: """
      Times are those of the slowest rank. busbw is 2(p − 1)/p of the bytes over the median time; copy is the speed at \
      which all ranks at once copy buffers of that size in their own memory.
      """)

  @Option(help: "Shards (default: the ranks).") var shards: Int?
  @Option(help: "Algorithms, as ring,native (default: all).") var algorithms: String?
  @Option(help: "The largest buffer; sizes go up from 4 bytes by factors of four.") var largest = "64MiB"
  @Option(help: "Write all figures to this file.") var csv: String?

  func run(_ world: Communicator) throws -> Int32 {
    let benchmark = try world.agree { try makeBenchmark() }
    var rows: [AllReduceBenchmark.Row] = []
    var table = Table([
      ("bytes", .trailing), ("algorithm", .leading), ("transport", .leading), ("min µs", .trailing),
      ("median µs", .trailing), ("p99 µs", .trailing), ("busbw GB/s", .trailing), ("copy GB/s", .trailing),
    ])
    try benchmark.run(world) { row in
      rows.append(row)
      table.add([
        grouped(row.bytes), row.algorithm, row.transport, decimal(row.leastMicroseconds, 1),
        decimal(row.medianMicroseconds, 1), decimal(row.percentile99Microseconds, 1), decimal(row.busBandwidth, 3),
        decimal(row.copyBandwidth, 3),
      ])
    }
    try world.agree {
      guard world.rank == 0 else { return }
      if let csv { try write(Self.text(rows), to: csv) }
      let shards = rows.first.map { count($0.shards, "shard") } ?? "no shard"
      show(["\(shards) on \(count(world.size, "rank"))", ""] + table.lines)
    }
    return ExitCode.done.rawValue
  }

  private func makeBenchmark() throws -> AllReduceBenchmark {
    if let shards { try check(shards > 0, "--shards \(shards)", "give at least 1") }
    guard let bytes = ByteCount(largest), bytes.value >= 4 else {
      throw invalid("--largest \(largest)", "give a size as 64MiB, 512KiB or 65536")
    }
    var benchmark = AllReduceBenchmark(sizes: AllReduceBenchmark.sizes(upTo: bytes.value))
    benchmark.shards = shards
    if let algorithms {
      benchmark.algorithms = try algorithms.split(separator: ",").map { try known(String($0), flag: "--algorithms") }
    }
    return benchmark
  }

  static func text(_ rows: [AllReduceBenchmark.Row]) -> String {
    let lines = rows.map { row in
      let figures = [
        row.leastMicroseconds, row.medianMicroseconds, row.percentile99Microseconds, row.busBandwidth,
        row.copyBandwidth,
      ]
      return "\(row.bytes),\(row.algorithm),\(row.transport),\(row.ranks),\(row.shards),"
        + figures.map { decimal($0, 4) }.joined(separator: ",")
    }
    let header = "bytes,algorithm,transport,ranks,shards,min_us,median_us,p99_us,busbw_gbs,copy_gbs"
    return ([header] + lines).joined(separator: "\n")
  }
}
