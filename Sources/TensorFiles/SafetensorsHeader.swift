/// The description of every tensor of a safetensors file, validated against the size of the file.
///
/// Layout of a file: header length n as a little-endian u64; n bytes of JSON (`HeaderParser`), padded with spaces at
/// the end; the tensors' bytes, one after another without hole or overlap, to the file's end. `data_offsets` count from
/// the first byte after the header. An empty tensor may stand only at a boundary between two others, where it has no
/// byte in common with either.
struct SafetensorsHeader: Sendable {
  struct Placed: Sendable {
    let tensor: TensorDescription
    /// Offset of the first byte in the file.
    let offset: Int
  }

  static let greatestLength = 100_000_000

  var metadata: [String: String]
  /// In the order of names.
  var tensors: [Placed]

  /// Validates a header of `json.count` bytes at the start of a file of `fileSize` bytes.
  init(json: [UInt8], fileSize: Int, path: String) throws(TensorFileError) {
    let parser: HeaderParser
    do { parser = try HeaderParser(json) } catch { throw .malformed(path, error.found) }
    metadata = parser.metadata
    tensors = []
    tensors.reserveCapacity(parser.entries.count)

    let start = 8 + json.count
    let dataSize = fileSize - start
    var end = 0
    // An empty tensor stands before the one that starts at its offset.
    for entry in parser.entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      let name = quoted(entry.name)
      guard let type = ElementType(rawValue: entry.type) else {
        throw TensorFileError(
          .malformed, path, "tensor \(name) has the unknown element type \(quoted(entry.type))", "export it as F32")
      }
      guard let size = Self.byteCount(shape: entry.shape, elementSize: type.size) else {
        throw .malformed(path, "the shape \(brief(entry.shape)) of tensor \(name) is larger than any memory")
      }
      guard entry.begin == end, entry.end >= entry.begin, entry.end <= dataSize else {
        throw .malformed(
          path,
          "tensor \(name) is said to lie at bytes \(entry.begin)..<\(entry.end) of \(dataSize) although the previous one "
            + "ends at \(end)")
      }
      guard entry.end - entry.begin == size else {
        throw .malformed(
          path,
          "tensor \(name) of shape \(brief(entry.shape)) and type \(type.rawValue) needs \(size) bytes but has "
            + "\(entry.end - entry.begin)")
      }
      end = entry.end
      let tensor = TensorDescription(name: entry.name, type: type, shape: entry.shape)
      tensors.append(Placed(tensor: tensor, offset: start + entry.begin))
    }
    guard end == dataSize else {
      throw .malformed(path, "the tensors end at byte \(end) of the data, which has \(dataSize)")
    }
    tensors.sort { precedes($0.tensor.name, $1.tensor.name) }
  }

  /// Bytes of a tensor, or nil where the product passes `Int.max`.
  private static func byteCount(shape: [Int], elementSize: Int) -> Int? {
    var size = elementSize
    for extent in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      size = product
    }
    return size
  }
}

// MARK: Encoding

extension SafetensorsHeader {
  /// Header length and JSON of a file that holds `tensors` in this order; the data starts at a multiple of 8 bytes.
  static func encode(_ tensors: [TensorDescription], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { precedes($0.key, $1.key) }.map { "\(json($0.key)):\(json($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var begin = 0
    for tensor in tensors {
      let end = begin + tensor.byteCount
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(json(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(begin),\(end)]}")
      begin = end
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    precondition(text.count <= greatestLength, "a header of \(text.count) bytes")
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
  }

  /// A string as JSON, with the escapes that JSON demands and no other.
  private static func json(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\u{08}": out += "\\b"
      case "\u{0C}": out += "\\f"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case "\u{00}"..<" ":
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
