import Foundation
import Testing
import Networks
import TensorFiles

/// What PyTorch computed for small cases of every operation (Tests/References/make-operation-references.py).
struct OperationReferences {
  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let operation: String
    let attributes: Attributes
    let inputs: [String]
    let parameters: [String: String]?
    let state: [String: String]?
    let stateAfter: [String: String]?
    let output: String
    let outputGradient: String?
    let inputGradients: [String]?
    let parameterGradients: [String: String]?
    var testDescription: String { name }
  }

  struct Attributes: Decodable, Sendable {
    let kernel, stride, padding: [Int]?
    let groups: Int?
    let bias, training, projection: Bool?
    let epsilon, smoothing: Float?
    let labels: [Int]?
    let classes, globalCount, outputChannels: Int?
    let offset, channels, before, after: Int?
  }

  private struct Index: Decodable { let cases: [Case] }

  static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "References")

  static let cases: [Case] = {
    let data = try! Data(contentsOf: directory.appendingPathComponent("operations.json"))
    return try! JSONDecoder().decode(Index.self, from: data).cases
  }()

  let file: SafetensorsFileBox

  /// The reader is not copyable; tests share one.
  final class SafetensorsFileBox: Sendable {
    let file: SafetensorsFile
    init() throws { file = try SafetensorsFile(path: directory.appendingPathComponent("operations.safetensors").path) }
  }

  init() throws { file = try SafetensorsFileBox() }

  func values(_ name: String) throws -> [Float] { try file.file.floats(name) }
  func shape(_ name: String) -> [Int] { file.file.tensor(named: name)?.shape ?? [] }
}
