#if _endian(big)
  #error("Tensor files are little-endian, and this code reads them as they are.")
#endif

extension SafetensorsFile {
  /// Reads a whole tensor into the caller's memory as Float, row-major.
  ///
  /// F32 is read in place; F64, F16 and BF16 are converted (F64 rounded to nearest). `values` must have the tensor's
  /// `count`.
  /// - Throws: `.doesNotFit` for an unknown name, for a type that is no floating-point number, and for an F64 beyond
  ///   Float's range; `.cannotRead`; `.malformed` if the file has been cut short since it was opened.
  public func read(_ name: String, into values: UnsafeMutableBufferPointer<Float>) throws(TensorFileError) {
    let placed = try placed(name)
    precondition(values.count == placed.tensor.count, "\(values.count) elements for \(placed.tensor)")
    switch placed.tensor.type {
    case .f32: try read(into: UnsafeMutableRawBufferPointer(values), at: placed.offset)
    case .f64: try convert(placed, into: values, from: Double.self, Float.init)
    case .f16: try convert(placed, into: values, from: UInt16.self, Self.floatOfHalf)
    case .bf16: try convert(placed, into: values, from: UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    default: throw wrongType(placed.tensor, wanted: "floating-point numbers")
    }
    // Float16 and BF16 have no finite value beyond Float's range.
    if placed.tensor.type == .f64, let value = try firstOutOfRange(placed, values) {
      throw TensorFileError(
        .doesNotFit, path, "tensor \(quoted(name)) holds \(value), beyond the range of 32-bit numbers",
        "export it as F32")
    }
  }

  /// A whole tensor as Float, row-major; errors as for `read(_:into:)`.
  public func floats(_ name: String) throws(TensorFileError) -> [Float] {
    var values = [Float](repeating: 0, count: try placed(name).tensor.count)
    try values.withUnsafeMutableBufferPointer { (buffer) throws(TensorFileError) in try read(name, into: buffer) }
    return values
  }

  /// A whole tensor of type I64 (a step counter, for example).
  public func integers(_ name: String) throws(TensorFileError) -> [Int64] {
    let placed = try placed(name)
    guard placed.tensor.type == .i64 else { throw wrongType(placed.tensor, wanted: "64-bit integers") }
    var values = [Int64](repeating: 0, count: placed.tensor.count)
    try values.withUnsafeMutableBufferPointer { (buffer) throws(TensorFileError) in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: placed.offset)
    }
    return values
  }

  /// Reads a whole tensor of any type as the file has it, little-endian; `bytes` must have the tensor's `byteCount`.
  public func readBytes(_ name: String, into bytes: UnsafeMutableRawBufferPointer) throws(TensorFileError) {
    let placed = try placed(name)
    precondition(bytes.count == placed.tensor.byteCount, "\(bytes.count) bytes for \(placed.tensor)")
    try read(into: bytes, at: placed.offset)
  }

  /// Converts piece by piece, so that a tensor is never in memory twice.
  private func convert<Stored: BitwiseCopyable>(
    _ placed: SafetensorsHeader.Placed, into values: UnsafeMutableBufferPointer<Float>, from: Stored.Type,
    _ float: (Stored) -> Float
  ) throws(TensorFileError) {
    let size = MemoryLayout<Stored>.size
    try withPieces(of: placed, elementSize: size) { (first, piece) in
      for index in 0..<(piece.count / size) {
        values[first + index] = float(piece.loadUnaligned(fromByteOffset: index * size, as: Stored.self))
      }
    }
  }

  private func firstOutOfRange(
    _ placed: SafetensorsHeader.Placed, _ values: UnsafeMutableBufferPointer<Float>
  ) throws(TensorFileError) -> Double? {
    guard values.contains(where: \.isInfinite) else { return nil }
    var found: Double?
    try withPieces(of: placed, elementSize: 8) { (first, piece) in
      for index in 0..<(piece.count / 8) where values[first + index].isInfinite && found == nil {
        let value = piece.loadUnaligned(fromByteOffset: index * 8, as: Double.self)
        if value.isFinite { found = value }
      }
    }
    return found
  }

  /// Calls `body` with the index of the first element and the bytes of each piece of a tensor.
  private func withPieces(
    of placed: SafetensorsHeader.Placed, elementSize: Int, _ body: (Int, UnsafeRawBufferPointer) -> Void
  ) throws(TensorFileError) {
    var piece = [UInt8](repeating: 0, count: min(placed.tensor.byteCount, 1 << 16))
    var done = 0
    while done < placed.tensor.byteCount {
      let size = min(piece.count, placed.tensor.byteCount - done)
      try piece.withUnsafeMutableBufferPointer { (buffer) throws(TensorFileError) in
        let part = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<size])
        try read(into: part, at: placed.offset + done)
        body(done / elementSize, UnsafeRawBufferPointer(part))
      }
      done += size
    }
  }

  private func wrongType(_ tensor: TensorDescription, wanted: String) -> TensorFileError {
    TensorFileError(
      .doesNotFit, path,
      "tensor \(quoted(tensor.name)) has elements of type \(tensor.type.rawValue) where \(wanted) are needed",
      "give the file of a matching model, or skip this tensor")
  }

  /// The value of an IEEE binary16, exactly. By hand, because Swift has no Float16 on some of its platforms.
  static func floatOfHalf(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0: return Float(sign: sign == 0 ? .plus : .minus, exponent: -24, significand: Float(fraction))
    case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
