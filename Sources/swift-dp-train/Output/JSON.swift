import Foundation
import TensorFiles

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
func write(_ text: String, to path: String) throws { try AtomicFile.write(Array((text + "\n").utf8), to: path) }
