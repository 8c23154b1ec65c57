import Foundation
import TensorFiles

/// PyTorch's run in 64-bit floats as the truth, and how far its own runs in 32-bit floats are from it.
///
/// There are several of those, in different memory formats and so with different rounding; the furthest counts.
struct ParityReference {
  /// What is kept as JSON.
  struct Summary: Codable {
    struct Tensor: Codable {
      /// ‖end − start‖ of the run in 64 bits.
      let change: Double
      /// ‖end in 32 bits − end in 64 bits‖, the greatest.
      let float32Error: Double
    }

    let torch: String
    let losses: [Double]
    /// |loss in 32 bits − loss in 64 bits|, the greatest.
    let float32LossErrors: [Double]
    let tensors: [String: Tensor]
  }

  let summary: Summary
  /// end − start of the run in 64 bits, of the elements that `sampled` names.
  let changes: [String: [Float]]

  /// Compares PyTorch's runs.
  init(_ truth: TrainedModel, float32 runs: [TrainedModel], start: [String: [Float]]) {
    var tensors: [String: Summary.Tensor] = [:]
    var changes: [String: [Float]] = [:]
    for (name, end) in truth.tensors {
      let first = (start[name] ?? []).map(Double.init)
      tensors[name] = Summary.Tensor(
        change: distance(end, first), float32Error: runs.map { distance(end, $0.tensors[name] ?? []) }.max() ?? 0)
      changes[name] = Self.sampled(of: end.count).map { Float(end[$0] - first[$0]) }
    }
    let lossErrors = truth.losses.indices.map { step in
      runs.map { abs($0.losses[step] - truth.losses[step]) }.max() ?? 0
    }
    summary = Summary(
      torch: PyTorch.version, losses: truth.losses, float32LossErrors: lossErrors, tensors: tensors)
    self.changes = changes
  }

  /// Indices of at most 32 elements, one at an uneven place in each of as many equal parts.
  static func sampled(of count: Int) -> [Int] {
    let parts = min(count, 32)
    return (0..<parts).map { part in
      let (first, end) = (part * count / parts, (part + 1) * count / parts)
      return first + part * 40503 % (end - first)
    }
  }

  /// ‖end − start − true change‖ of a tensor, estimated from the sampled elements.
  func sampledError(_ name: String, end: [Double], start: [Float]) -> Double {
    let indices = Self.sampled(of: end.count)
    let ours = indices.map { end[$0] - Double(start[$0]) }
    return distance(ours, (changes[name] ?? []).map(Double.init))
      * (Double(end.count) / Double(max(indices.count, 1))).squareRoot()
  }

  // MARK: files

  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("References")

  private static func files(_ example: ParityCase) -> (summary: URL, changes: URL) {
    let stem = "parity-\(example.name)"
    return (directory.appendingPathComponent(stem + ".json"), directory.appendingPathComponent(stem + ".safetensors"))
  }

  init(stored example: ParityCase) throws {
    let files = Self.files(example)
    summary = try JSONDecoder().decode(Summary.self, from: Data(contentsOf: files.summary))
    changes = try readTensors(files.changes.path).mapValues { $0.map(Float.init) }
  }

  func store(_ example: ParityCase) throws {
    let files = Self.files(example)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try (encoder.encode(summary) + Data("\n".utf8)).write(to: files.summary)
    try SafetensorsFile.write(
      changes.map { TensorSource(name: $0.key, shape: [$0.value.count], values: $0.value) }, to: files.changes.path)
  }
}

/// ‖a − b‖.
func distance(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count, "\(a.count) and \(b.count) elements")
  return zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
}
