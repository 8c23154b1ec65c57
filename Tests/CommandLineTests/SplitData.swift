import Determinism
import Foundation
import TensorFiles
import TestSupport
import Testing

/// A small data set in MNIST's format, whole and cut up as shards see it: what one shard does on its part of each batch is what
/// a run of its own does on that part alone.
struct SplitData {
  let directory: TemporaryDirectory
  let shards: Int
  let steps: Int
  /// Samples of a shard's part of a batch.
  static let part = 4
  private static let pixels = 64

  /// Settings of all runs: nothing random beside the start, one thread, every state kept.
  static let settings = [
    "--dataset", "mnist", "--no-shuffle", "--model", "mlp", "--seed", "5", "--threads-per-shard", "1", "--save-every",
    "1", "--keep", "99", "--schedule", "constant", "--warmup-epochs", "0",
  ]

  init(shards: Int, steps: Int) throws {
    (directory, self.shards, self.steps) = (try TemporaryDirectory(), shards, steps)
    let stream = RandomStream(seed: 1, purpose: "split data")
    let images = (0..<shards * steps * Self.part).map { sample in
      (0..<Self.pixels).map { pixel in
        UInt8(truncatingIfNeeded: stream.words(block: UInt32(pixel), sample: UInt32(sample)).x)
      }
    }
    try write("all", images, 0..<images.count)
    for shard in 0..<shards {
      try write("shard-\(shard)", images, (0..<steps).flatMap { samples(of: shard, in: $0) })
      for step in 0..<steps { try write("shard-\(shard)-step-\(step)", images, samples(of: shard, in: step)) }
    }
  }

  private func samples(of shard: Int, in step: Int) -> Range<Int> {
    let first = (step * shards + shard) * Self.part
    return first..<first + Self.part
  }

  private func write(_ name: String, _ images: [[UInt8]], _ samples: some Sequence<Int>) throws {
    let samples = Array(samples)
    for kind in ["train", "t10k"] {
      for (file, bytes) in [
        ("images-idx3", idx([samples.count, 8, 8], samples.flatMap { images[$0] })),
        ("labels-idx1", idx([samples.count], samples.map { UInt8($0 * 7 % 10) })),
      ] {
        let url = directory.url.appendingPathComponent("\(name)/\(kind)-\(file)-ubyte")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
      }
    }
  }

  /// Trains all shards together for all steps.
  func train(_ name: String, _ arguments: [String], _ launch: Launch = .alone) throws -> StoredStates {
    let batch = ["--batch-size", "\(shards * Self.part)", "--shards", "\(shards)", "--steps", "\(steps)"]
    return try train(name, data: "all", batch + arguments, launch)
  }

  /// Trains on what one shard sees, or on what it sees in one step.
  func trainShard(_ shard: Int, step: Int? = nil, _ arguments: [String]) throws -> StoredStates {
    let data = "shard-\(shard)" + (step.map { "-step-\($0)" } ?? "")
    let length = ["--batch-size", "\(Self.part)", "--shards", "1", "--steps", "\(step == nil ? steps : 1)"]
    return try train("run-of-" + data, data: data, length + arguments, .alone)
  }

  private func train(_ name: String, data: String, _ arguments: [String], _ launch: Launch) throws -> StoredStates {
    _ = try record(Self.settings + ["--data-dir", data] + arguments, launch, in: directory, name)
    return StoredStates(run: directory.url.appendingPathComponent(name))
  }
}

/// The states that a run has kept, after each step.
struct StoredStates {
  let run: URL

  func file(after step: Int) throws -> SafetensorsFile {
    let name = "checkpoints/step-\(String(repeating: "0", count: 7))\(step)/state.safetensors"
    return try SafetensorsFile(path: run.appendingPathComponent(name).path)
  }

  /// All tensors whose names have that prefix, one behind another in the order of names.
  func vector(_ prefix: String, after step: Int) throws -> [Float] {
    let file = try file(after: step)
    let values = try file.tensors.filter { $0.name.hasPrefix(prefix) }.flatMap { try file.floats($0.name) }
    return try #require(values.isEmpty ? nil : values, "\(prefix) is in the state of step \(step)")
  }
}

/// The prefixes of a state's names.
enum StoredVector {
  static let parameters = "model/"
  static let momentum = "optimizer/momentum/"
  static func shard(_ shard: Int, _ name: String) -> String { "shards/0000\(shard)/\(name)/" }
}
