/// A parser for the JSON in a safetensors header that accepts that structure and nothing else:
///
///     { "__metadata__": { string: string, … },
///       name: { "dtype": string, "shape": [ integer, … ], "data_offsets": [ integer, integer ] }, … }
///
/// A general JSON library keeps one of two equal keys, and different libraries keep different ones, so a file could show
/// one tensor to a checker and another to a loader. Here a key given twice is an error, as are an unknown key, a
/// number that is not a plain decimal integer, and anything but spaces after the last brace. There is no recursion, and
/// memory is linear in the header's.
struct HeaderParser {
  struct Entry {
    var name: String
    var type: String
    var shape: [Int]
    var begin: Int
    var end: Int
  }

  struct Failure: Error {
    let found: String
  }

  private let bytes: [UInt8]
  private var position = 0
  private(set) var metadata: [String: String] = [:]
  private(set) var entries: [Entry] = []

  /// Parses a whole header, the padding at its end included.
  init(_ bytes: [UInt8]) throws(Failure) {
    self.bytes = bytes
    guard bytes.first == UInt8(ascii: "{") else { throw Failure(found: "the header does not start with “{”") }
    var names: Set<String> = []
    var hasMetadata = false
    try object { (parser, key) throws(Failure) in
      if key == "__metadata__" {
        guard !hasMetadata else { throw Failure(found: "the header has two “__metadata__” keys") }
        hasMetadata = true
        try parser.metadataObject()
      } else {
        guard names.insert(key).inserted else { throw Failure(found: "tensor \(quoted(key)) is in the header twice") }
        try parser.tensorObject(named: key)
      }
    }
    while position < bytes.count {
      guard bytes[position] == UInt8(ascii: " ") else { throw unexpected("a space of padding") }
      position += 1
    }
  }

  private mutating func metadataObject() throws(Failure) {
    try object { (parser, key) throws(Failure) in
      let value = try parser.string()
      guard parser.metadata.updateValue(value, forKey: key) == nil else {
        throw Failure(found: "the metadata has the key \(quoted(key)) twice")
      }
    }
  }

  private mutating func tensorObject(named name: String) throws(Failure) {
    var type: String?
    var shape: [Int]?
    var offsets: [Int]?
    try object { (parser, key) throws(Failure) in
      let twice = Failure(found: "tensor \(quoted(name)) has the key \(quoted(key)) twice")
      switch key {
      case "dtype":
        guard type == nil else { throw twice }
        type = try parser.string()
      case "shape":
        guard shape == nil else { throw twice }
        shape = try parser.integers()
      case "data_offsets":
        guard offsets == nil else { throw twice }
        offsets = try parser.integers()
      default: throw Failure(found: "tensor \(quoted(name)) has the unknown key \(quoted(key))")
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw Failure(found: "tensor \(quoted(name)) lacks a dtype, a shape or two data_offsets")
    }
    entries.append(Entry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1]))
  }
}

// MARK: Grammar

extension HeaderParser {
  /// `{ key : member, … }`; `member` parses the value.
  private mutating func object(
    _ member: (inout HeaderParser, String) throws(Failure) -> Void
  ) throws(Failure) {
    try expect("{")
    if accept("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
    } while accept(",")
    try expect("}")
  }

  /// `[ integer, … ]`
  private mutating func integers() throws(Failure) -> [Int] {
    try expect("[")
    var values: [Int] = []
    if accept("]") { return values }
    repeat { values.append(try integer()) } while accept(",")
    try expect("]")
    return values
  }

  /// Decimal digits without sign, leading zero, fraction or exponent, at most `Int.max`.
  private mutating func integer() throws(Failure) -> Int {
    skipSpace()
    let start = position
    var value = 0
    while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
      let (tenfold, overflow1) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = tenfold.addingReportingOverflow(Int(digit))
      guard !overflow1 && !overflow2 else {
        throw Failure(found: "a number at byte \(start) of the header is too large")
      }
      value = sum
      position += 1
    }
    guard position > start, position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
      throw unexpected("a whole number")
    }
    return value
  }

  /// A string with JSON's escapes, valid as Unicode.
  private mutating func string() throws(Failure) -> String {
    try expect("\"")
    let start = position
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw Failure(found: "the text at byte \(start) of the header is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): text.append(contentsOf: try escape())
      case 0..<0x20: throw Failure(found: "the text at byte \(start) of the header holds a control character")
      default: text.append(byte)
      }
    }
    throw Failure(found: "the text at byte \(start) of the header does not end")
  }

  private mutating func escape() throws(Failure) -> [UInt8] {
    guard position < bytes.count else { throw unexpected("an escape") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var units = [try hexadecimalUnit()]
      if UTF16.isLeadSurrogate(units[0]), bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
        position += 2
        units.append(try hexadecimalUnit())
      }
      guard let text = String(validating: units, as: UTF16.self) else {
        throw Failure(found: "half a surrogate pair stands at byte \(position) of the header")
      }
      return Array(text.utf8)
    default:
      position -= 1
      throw unexpected("an escape")
    }
  }

  private mutating func hexadecimalUnit() throws(Failure) -> UInt16 {
    let digits = bytes[position...].prefix(4)
    // All four are digits, since UInt16's own parser would take a sign.
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw unexpected("four hexadecimal digits") }
    position += 4
    return unit
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
    guard accept(character) else { throw unexpected("“\(character)”") }
  }

  private func unexpected(_ wanted: String) -> Failure {
    let found = position < bytes.count ? "byte \(bytes[position])" : "the header's end"
    return Failure(found: "at byte \(position) of the header there is \(found) where \(wanted) is expected")
  }
}
