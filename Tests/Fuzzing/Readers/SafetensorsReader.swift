import TensorFiles

extension FuzzedReader {
  /// Opens a file and reads all tensors: those of a file that is taken cover its bytes after the header exactly.
  static let safetensors = FuzzedReader(
    name: "safetensors",
    seeds: [
      file(#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#, 16),
      file(
        #"{"__metadata__":{"k":"v"},"b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},"#
          + #""n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"e":{"dtype":"BF16","shape":[0,9],"data_offsets":[8,8]}}  "#,
        14),
      file(
        #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"\u0061":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}"#,
        16),
      file(#" {"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#, 16),
      file(#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#, 16),
      file(
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F8_E4M3","shape":[9],"data_offsets":[3,12]}}"#,
        12),
      // Headers of 100 MB and of all that can be said, in files of a few bytes.
      [0, 0xE1, 0xF5, 5, 0, 0, 0, 0] + Array("{}".utf8), [UInt8](repeating: 0xFF, count: 8) + Array("{}".utf8),
    ],
    words: [
      "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\ud83d\\ude00", "__metadata__", "dtype", "shape", "data_offsets",
      "F32", "F64", "F16", "BF16", "I64", "U8", "BOOL", "9223372036854775807", "18446744073709551615", "-1", "0", "1e3",
    ],
    // A header's extents are two bytes each on disk and eight in memory, in arrays that grow by doubling; its tensors,
    // names and places are kept in three tables.
    allowance: { 16 * $0.count + (32 << 10) }
  ) { input, bytes in
    let file = try SafetensorsFile(path: input.path)
    var total = 0
    for tensor in file.tensors {
      total += tensor.byteCount
      precondition(total <= bytes.count, "\(tensor) is larger than the file")
      _ = tensor.type.isFloatingPoint ? try? file.floats(tensor.name) : nil
      _ = tensor.type == .i64 ? try file.integers(tensor.name) : nil
      precondition(file.tensor(named: tensor.name) == tensor, "\(tensor) is not found by its name")
    }
    let header = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    precondition(8 + header + total == bytes.count, "the tensors do not cover the file")
  }

  /// A file of a header and as many bytes of data.
  private static func file(_ header: String, _ size: Int) -> [UInt8] {
    let json = Array(header.utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) } + json
      + (0..<size).map { UInt8(truncatingIfNeeded: 0x3C &+ $0) }
  }
}
