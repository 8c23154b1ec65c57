import TensorFiles
import Testing

@Suite struct MalformedTests {
  /// Headers of files with 16 bytes of data, each broken in one way, and a part of the sentence that says so.
  static let headers: [(String, String)] = [
    (#" {"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "does not start with “{”"),
    (#"[]"#, "does not start with “{”"),
    (#""#, "does not start with “{”"),
    (#"{}"#, "end at byte 0 of the data, which has 16"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#, "the header's end where “}” is expected"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}x"#, "byte 120 where a space of padding is expected"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}{}"#, "a space of padding"),
    (
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}"#,
      "tensor \"a\" is in the header twice"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
      "tensor \"a\" is in the header twice"
    ),
    (#"{"a":{"dtype":"F32","dtype":"U8","shape":[4],"data_offsets":[0,16]}}"#, "the key \"dtype\" twice"),
    (#"{"a":{"dtype":"F32","shape":[4],"shape":[4],"data_offsets":[0,16]}}"#, "the key \"shape\" twice"),
    (
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"data_offsets":[0,16]}}"#,
      "the key \"data_offsets\" twice"
    ),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}}"#, "the unknown key \"x\""),
    (
      #"{"__metadata__":{},"__metadata__":{},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
      "two “__metadata__” keys"
    ),
    (
      #"{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
      "the metadata has the key \"k\" twice"
    ),
    (#"{"__metadata__":{"k":1},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "where “\"” is expected"),
    (#"{"a":{"dtype":"F33","shape":[4],"data_offsets":[0,16]}}"#, "unknown element type \"F33\""),
    (#"{"a":{"dtype":"f32","shape":[4],"data_offsets":[0,16]}}"#, "unknown element type \"f32\""),
    (#"{"a":{"shape":[4],"data_offsets":[0,16]}}"#, "lacks a dtype"),
    (#"{"a":{"dtype":"F32","data_offsets":[0,16]}}"#, "lacks a dtype, a shape"),
    (#"{"a":{"dtype":"F32","shape":[4]}}"#, "two data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}}"#, "two data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8,16]}}"#, "two data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}"#, "needs 20 bytes but has 16"),
    (#"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,16]}}"#, "needs 8 bytes but has 16"),
    (#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,16]}}"#, "needs 0 bytes but has 16"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, "end at byte 12 of the data, which has 16"),
    (#"{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}"#, "said to lie at bytes 0..<20 of 16"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}"#, "previous one ends at 0"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}"#, "lie at bytes 16..<0"),
    (
      #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
      "tensor \"b\" is said to lie at bytes 8..<16 of 16 although the previous one ends at 12"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
      "previous one ends at 4"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
      "previous one ends at 16"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"e":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#,
      "tensor \"e\" is said to lie at bytes 8..<8"
    ),
    (#"{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}"#, "a whole number"),
    (#"{"a":{"dtype":"F32","shape":[+4],"data_offsets":[0,16]}}"#, "a whole number"),
    (#"{"a":{"dtype":"F32","shape":[04],"data_offsets":[0,16]}}"#, "a whole number"),
    (#"{"a":{"dtype":"F32","shape":[4.0],"data_offsets":[0,16]}}"#, "“]”"),
    (#"{"a":{"dtype":"F32","shape":[4e0],"data_offsets":[0,16]}}"#, "“]”"),
    (#"{"a":{"dtype":"F32","shape":["4"],"data_offsets":[0,16]}}"#, "a whole number"),
    (#"{"a":{"dtype":"F32","shape":[4,],"data_offsets":[0,16]}}"#, "a whole number"),
    (#"{"a":{"dtype":"F32","shape":4,"data_offsets":[0,16]}}"#, "“[”"),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,16]}}"#, "is too large"),
    (#"{"a":{"dtype":"F32","shape":[65536,65536,65536,65536],"data_offsets":[0,16]}}"#, "larger than any memory"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#, "larger than any memory"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},}"#, "where “\"” is expected"),
    (#"{"a" {"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "“:”"),
    (#"{"a\x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "an escape"),
    (#"{"\u12g4":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "four hexadecimal digits"),
    (#"{"\u+123":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "four hexadecimal digits"),
    (#"{"\ud83d":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "half a surrogate pair"),
    (#"{"\udc00\ud83d":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "half a surrogate pair"),
    ("{\"a\n\":{}}", "holds a control character"),
    (#"{"a"#, "does not end"),
    (#"{"a\"#, "an escape"),
    (#"{"\u00"#, "four hexadecimal digits"),
  ]

  @Test(arguments: headers.indices)
  func header(_ index: Int) {
    let directory = TemporaryDirectory()
    let (header, part) = Self.headers[index]
    let error = errorOfReading(safetensors(header, dataSize: 16), in: directory)
    #expect(error?.kind == .malformed, "\(header)")
    #expect(error?.description.contains(part) == true, "\(header): \(error?.description ?? "no error")")
  }

  @Test func textThatIsNotUTF8() {
    let directory = TemporaryDirectory()
    var bytes = safetensors(#"{"ab":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, dataSize: 16)
    bytes[10] = 0xC3
    #expect(errorOfReading(bytes, in: directory)?.description.contains("is not UTF-8") == true)
  }

  @Test func headerLengths() {
    let directory = TemporaryDirectory()
    for (length, part) in [
      (UInt64(17), "its header has 17 bytes, but it ends after 24 bytes"), (.max, "not a safetensors file"),
      (100_000_001, "not a safetensors file"), (100_000_000, "it ends after 24 bytes"),
    ] {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + [UInt8](repeating: 0x20, count: 16)
      #expect(errorOfReading(bytes, in: directory)?.description.contains(part) == true, "\(length)")
    }
    for size in 0..<8 {
      let error = errorOfReading([UInt8](repeating: 0, count: size), in: directory)
      #expect(error?.description.contains("it has \(size) bytes, too few") == true)
    }
  }

  @Test func everyTruncationAndOneByteMore() {
    let directory = TemporaryDirectory()
    let bytes = contents(of: reference("written.safetensors"))
    for size in 0..<bytes.count {
      #expect(errorOfReading(Array(bytes[..<size]), in: directory)?.kind == .malformed, "\(size) bytes")
    }
    #expect(errorOfReading(bytes + [0], in: directory)?.kind == .malformed)
    #expect(errorOfReading(bytes, in: directory) == nil)
  }

  /// Any bit of header length and header flipped: either an error, or tensors that lie inside the file.
  @Test func everyBitFlipInTheHeader() {
    let directory = TemporaryDirectory()
    let bytes = contents(of: reference("written.safetensors"))
    let headerSize = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
    var accepted = 0
    for bit in 0..<(8 * headerSize) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      let error = errorOfReading(damaged, in: directory)
      if error == nil { accepted += 1 }
      if let error, error.kind != .malformed { Issue.record("bit \(bit): \(error)") }
    }
    // Letters of names and of metadata, and little else.
    #expect(accepted > 0 && accepted < 8 * headerSize / 3)
  }

  @Test func whatIsUnusualButRight() {
    let directory = TemporaryDirectory()
    for (header, size) in [
      ("{}", 0), ("{}      ", 0), ("{ \n\t\r}", 0), (#"{"__metadata__":{}}"#, 0),
      (#"{"e":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}}"#, 0),
      (
        #"{"b" : {"data_offsets":[4, 8 ],"shape":[ ],"dtype":"F32"}, "a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#,
        8
      ),
      // Empty tensors at both ends and between two others.
      (
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"#
          + #""x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"y":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"#
          + #""z":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#, 8
      ),
      (#"{"\ud83d\ude00\/\b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, 8),
    ] {
      let error = errorOfReading(safetensors(header, dataSize: size), in: directory)
      #expect(error == nil, "\(header)")
    }
  }
}
