import ArgumentParser
import Collectives
import MPI
import Training

struct BenchAllReduceCommand: JobCommand {
  static let configuration = CommandConfiguration(
    commandName: "all-reduce", abstract: "Time the sum of a buffer over all shards, by each algorithm and size.",
    discussion: """
      Contenders take turns, over contributions that are written anew and with sums that are checked each time. Times are \
      those of the slowest rank. busbw is 2(p − 1)/p of the bytes over the median time; copy is the speed at which all \
      ranks at once copy buffers of that size in their own memory. shared-memory leaves the sum where all ranks of a node \
      read it, as training does; shared-memory-copied gives each rank a copy, as MPI_Allreduce does. On one node, \
      algorithms that add in the same order are the same work in shared memory, and only the first of them is shown there.
      """)

  @Option(help: "Shards (default: the ranks).") var shards: Int?
  @Option(help: "Algorithms, as ring,native; or all (default: ring,halving-doubling,recursive-doubling,native).")
  var algorithms: String?
  @Option(help: "Buffers, as 4KiB,25MiB (default: from 4 bytes by factors of four, 25MiB and 100MiB).")
  var sizes: String?
  @Option(help: "The largest buffer, where --sizes does not say.") var largest = "256MiB"
  @Option(help: "About how many seconds to measure a size.") var seconds = 3.0
  @Option(help: "Write all figures to this file.") var csv: String?
  @Option(help: "Draw the median time over bytes into this file.") var svg: String?

  func run(_ world: Communicator) throws -> Int32 {
    let benchmark = try world.agree { try makeBenchmark() }
    var rows: [AllReduceBenchmark.Row] = []
    var table = Table([
      ("bytes", .trailing), ("algorithm", .leading), ("transport", .leading), ("min µs", .trailing),
      ("median µs", .trailing), ("p99 µs", .trailing), ("busbw GB/s", .trailing), ("copy GB/s", .trailing),
      ("× native", .trailing),
    ])
    var notes: [String] = []
    try benchmark.run(world) {
      notes.append($0)
    } observe: { row in
      rows.append(row)
      table.add([
        grouped(row.bytes), row.algorithm, row.transport, decimal(row.leastMicroseconds, 1),
        decimal(row.medianMicroseconds, 1), decimal(row.percentile99Microseconds, 1), decimal(row.busBandwidth, 3),
        decimal(row.copyBandwidth, 3), row.timesNative.map { decimal($0, 2) } ?? "",
      ])
    }
    try world.agree {
      guard world.rank == 0 else { return }
      if let csv { try write(Self.text(rows), to: csv) }
      if let svg { try write(Self.plot(rows).svg, to: svg) }
      let shards = rows.first.map { count($0.shards, "shard") } ?? "no shard"
      show(["\(shards) on \(count(world.size, "rank"))", ""] + table.lines + (notes.isEmpty ? [] : [""]) + notes)
    }
    return ExitCode.done.rawValue
  }

  private func makeBenchmark() throws -> AllReduceBenchmark {
    if let shards { try checkCount(shards, "--shards", to: AllReduceBenchmark.mostShards) }
    try checkSeconds(seconds)
    let largest = try bytes(largest, flag: "--largest")
    let chosen = try sizes?.split(separator: ",").map { try bytes(String($0), flag: "--sizes") }
    var benchmark = AllReduceBenchmark(sizes: chosen ?? AllReduceBenchmark.sizes(upTo: largest))
    benchmark.shards = shards
    benchmark.secondsPerSize = seconds
    if algorithms == "all" {
      benchmark.algorithms = AllReduceAlgorithm.allCases
    } else if let algorithms {
      benchmark.algorithms = try algorithms.split(separator: ",").map { try known(String($0), flag: "--algorithms") }
    }
    return benchmark
  }

  private func bytes(_ text: String, flag: String) throws -> Int {
    guard let bytes = ByteCount(text), bytes.value >= 4, bytes.value % 4 == 0, bytes.value <= 1 << 40 else {
      throw invalid("\(flag) \(text)", "give a multiple of 4 bytes as 64MiB, 512KiB or 65536")
    }
    return bytes.value
  }

  /// A line for each algorithm and transport, and one for the copy.
  static func plot(_ rows: [AllReduceBenchmark.Row]) -> LinePlot {
    var series: [LinePlot.Series] = []
    func add(_ name: String, _ row: AllReduceBenchmark.Row, microseconds: Double) {
      let point = (x: Double(row.bytes), y: microseconds / 1e6)
      if let index = series.firstIndex(where: { $0.name == name }) {
        if series[index].points.last?.x != point.x { series[index].points.append(point) }
      } else {
        series.append(LinePlot.Series(name, [point]))
      }
    }
    for row in rows {
      add("\(row.algorithm), \(row.transport)", row, microseconds: row.medianMicroseconds)
      add("copy", row, microseconds: Double(row.bytes) / row.copyBandwidth / 1e3)
    }
    let ranks = rows.first.map { count($0.ranks, "rank") } ?? "no rank"
    return LinePlot("Sum over \(ranks)", x: .init("bytes"), y: .init("time", label: durationText), series: series)
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
