import Foundation
import TensorFiles
import Training

/// A value as JSON with sorted keys in the style of `summary.json`: `samplesPerSecond` is `samples_per_second`.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Writes a text file, which appears whole or not at all.
/// - Throws: 74 where it cannot be written.
func write(_ text: String, to path: String) throws {
  do { try AtomicFile.write(Array((text + "\n").utf8), to: path) } catch { throw TrainingError(error) }
}
