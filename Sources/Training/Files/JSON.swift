import Foundation
import TensorFiles

/// Reads a value from JSON as `RunDirectory.json` writes it, from a file that may hold anything.
/// - Throws: where it is no such value.
func decodeJSON<Value: Decodable>(_ type: Value.Type, from text: Data) throws -> Value {
  // The library gives up at a depth of 512, and crashes where the text ends right there.
  guard jsonNesting(text) < 500 else { throw CocoaError(.propertyListReadCorrupt) }
  let decoder = JSONDecoder()
  decoder.nonConformingFloatDecodingStrategy = .convertFromString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return try decoder.decode(type, from: text)
}
