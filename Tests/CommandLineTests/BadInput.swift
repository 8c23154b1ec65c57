import Foundation
import TensorFiles
import TestSupport
import Testing

/// A directory with small sound files to spoil: a data set in MNIST's format under `data`, and a start for its `mlp`.
final class Workbench {
  let directory: TemporaryDirectory

  static let mnist = ["--dataset", "mnist", "--data-dir", "data"]
  /// A run that ends in a moment.
  static let brief = [
    "--model", "mlp", "--batch-size", "4", "--steps", "2", "--learning-rate", "0.1", "--warmup-epochs", "0",
  ]

  init() throws {
    directory = try TemporaryDirectory()
    for (name, count) in [("train", 12), ("t10k", 6)] {
      try write("data/\(name)-images-idx3-ubyte", idx([count, 4, 4], (0..<count * 16).map { UInt8($0 * 7 % 256) }))
      try write("data/\(name)-labels-idx1-ubyte", idx([count], (0..<count).map { UInt8($0 % 10) }))
    }
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let url = directory.url.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: directory.url.appendingPathComponent(name)))
  }

  /// Packs a file of the data set, as gzip(1) does.
  func gzip(_ name: String) throws {
    _ = try run(["gzip", "-f", name], in: directory.url)
  }

  /// Writes parameters that fit the `mlp` of the data set, but for what `change` does to their shapes.
  func writeParameters(_ change: (inout [(name: String, shape: [Int])]) -> Void = { _ in }) throws {
    var shapes = [
      ("fc1.weight", [512, 16]), ("fc1.bias", [512]), ("fc2.weight", [512, 512]), ("fc2.bias", [512]),
      ("fc3.weight", [10, 512]), ("fc3.bias", [10]),
    ].map { (name: $0.0, shape: $0.1) }
    change(&shapes)
    let sources = shapes.map {
      TensorSource(name: $0.name, shape: $0.shape, values: [Float](repeating: 0.01, count: $0.shape.reduce(1, *)))
    }
    try SafetensorsFile.write(sources, to: directory.url.appendingPathComponent("start.safetensors").path)
  }

  /// Runs the trainer and checks how it ends: with one sentence, nothing else on either stream, nothing left behind.
  ///
  /// - Parameter runDirectory: what must not exist afterwards; nil where it existed before.
  func expectError(
    _ text: String, _ arguments: [String], _ launch: Launch = .alone, leaving runDirectory: String? = "run",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let job = try launch.run(
      ["train", "--run-dir", runDirectory ?? "run"] + arguments, in: directory.url, timeLimit: 60)
    #expect(!job.timedOut, "\(job.transcript)", sourceLocation: sourceLocation)
    #expect(job.standardError == text + "\n", "\(job.command)", sourceLocation: sourceLocation)
    #expect(job.standardOutput == "", "\(job.command)", sourceLocation: sourceLocation)
    let code = text.split(separator: "(").dropFirst().first?.split(separator: ")").first.flatMap { Int32($0) }
    #expect(job.exitCode == code, "\(job.transcript)", sourceLocation: sourceLocation)
    if let runDirectory {
      let path = directory.url.appendingPathComponent(runDirectory).path
      #expect(!FileManager.default.fileExists(atPath: path), "\(job.command)", sourceLocation: sourceLocation)
    }
  }
}

/// An IDX file's bytes.
func idx(_ extents: [Int], _ elements: [UInt8], type: UInt8 = 8) -> [UInt8] {
  [0, 0, type, UInt8(extents.count)]
    + extents.flatMap { extent in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: extent >> $0) } } + elements
}
