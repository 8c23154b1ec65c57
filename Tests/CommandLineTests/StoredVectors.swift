import Foundation
import TensorFiles
import TestSupport

/// The parameters that a checkpoint holds: the run's and those of each shard, each as one vector in the order of names.
struct StoredVectors {
  let run: [Float]
  let shards: [[Float]]
  /// What each is to mix in next, where it keeps that.
  let arriving: [[Float]]
  /// Of shards that have one.
  let weights: [Float]

  init(_ directory: TemporaryDirectory, _ checkpoint: String, shards: Int) throws {
    let file = try SafetensorsFile(path: directory.url.appendingPathComponent("\(checkpoint)/state.safetensors").path)
    func all(_ prefix: String) throws -> [Float] {
      try file.tensors.filter { $0.name.hasPrefix(prefix) }.flatMap { try file.floats($0.name) }
    }
    run = try all("model/")
    self.shards = try (0..<shards).map { try all("shards/0000\($0)/parameters/") }
    arriving = try (0..<shards).map { try all("shards/0000\($0)/arriving/") }
    weights = try (0..<shards).flatMap { try all("shards/0000\($0)/weight") }
  }
}

/// The largest difference of two vectors' elements.
func distance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }

/// Element by element, each vector times its weight; 1 without weights.
func sum(_ vectors: [[Float]], weights: [Float]? = nil) -> [Float] {
  vectors[0].indices.map { index in
    Float(vectors.indices.reduce(0.0) { $0 + Double(weights?[$1] ?? 1) * Double(vectors[$1][index]) })
  }
}
