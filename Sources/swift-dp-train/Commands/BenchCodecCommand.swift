import ArgumentParser
import Compression
import Training

struct BenchCodecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codec", abstract: "Time how fast gradients are compressed and decompressed on one core.",
    discussion: """
      Gigabytes a second are of gradient, four bytes an element, beside those of a copy. Decoding includes the addition to \
      a sum. Compressions: \(GradientCompression.forms.dropFirst().map(\.form).joined(separator: ", ")).
      """)

  @Option(help: "Compressions, separated by commas (default: each once).") var codec: String?
  @Option(
    help: "Elements of the gradient, a matrix with rows of 1,024 (default: twice the largest cache, up to 512 MiB).")
  var elements: Int?
  @Option(help: "About how many seconds to measure each.") var seconds = 0.5
  @Option(name: .customLong("json"), help: "Write all figures to this file.") var jsonPath: String?

  func run() throws {
    if let elements {
      try check((1...Int(UInt32.max)).contains(elements), "--elements \(elements)", "give 1 to \(UInt32.max)")
    }
    try checkSeconds(seconds)
    var benchmark = CodecBenchmark(elements: elements)
    benchmark.seconds = seconds
    if let codec {
      do throws(CompressionError) {
        var chosen: [GradientCompression] = []
        for text in codec.split(separator: ",", omittingEmptySubsequences: false) {
          chosen.append(try GradientCompression(parsing: String(text)))
        }
        benchmark.compressions = chosen
      } catch {
        throw TrainingError(.badConfiguration, "--codec: \(error)")
      }
    }
    var rows: [CodecBenchmark.Row] = []
    var table = Table([
      ("codec", .leading), ("bytes", .trailing), ("ratio", .trailing), ("encode GB/s", .trailing),
      ("decode GB/s", .trailing), ("copy GB/s", .trailing),
    ])
    try benchmark.run { row in
      rows.append(row)
      table.add([
        row.codec, grouped(row.bytes), decimal(row.ratio, 1), decimal(row.encodeGbs, 2), decimal(row.decodeGbs, 2),
        decimal(row.copyGbs, 2),
      ])
    }
    if let jsonPath { try write(try json(rows), to: jsonPath) }
    let count = rows.first?.elements ?? 0
    show(["\(grouped(count)) elements, \(size(4 * count))", ""] + table.lines)
  }
}
