/// A codec whose encodings can be cut: a tensor is a sequence of *units* of equal length, the last one shorter, and a
/// unit's bytes have a size that follows from its length.
///
/// So ranks can own ranges of units. Contributions go to the owners, who decode and add them in ascending shard index; the
/// finished sum is encoded once and gathered, and every rank, its owner too, goes on with what the bytes say.
///
/// All pointers are to a tensor's first element, and bytes begin with the first unit of a range. Bytes need no alignment, but
/// begin at even addresses.
public protocol UnitCodec: GradientCodec {
  /// Names of the flat vectors that the owners of sums keep, zero at first: what encoding the finished sum has not sent yet.
  var sumSlots: [String] { get }

  /// Elements of a unit but the last.
  func unitLength(of tensor: CodecTensor) -> Int

  /// Bytes of a unit of so many elements.
  func bytes(ofUnitOf count: Int) -> Int

  /// Encodes units of gradient + residual, and leaves in the residual what the bytes lack of that.
  /// - Parameter residual: of the shard, or of the sum; for codecs with a slot.
  func encode(
    _ units: Range<Int>, of tensor: CodecTensor, gradient: UnsafePointer<Float>,
    residual: UnsafeMutablePointer<Float>?, into bytes: UnsafeMutableRawPointer)

  /// Writes what units' bytes say.
  func decode(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>)

  /// Adds what units' bytes say.
  func add(
    _ units: Range<Int>, of tensor: CodecTensor, from bytes: UnsafeRawBufferPointer,
    to values: UnsafeMutablePointer<Float>)
}

extension UnitCodec {
  public var sumSlots: [String] { slots }

  public func unitCount(of tensor: CodecTensor) -> Int {
    let length = unitLength(of: tensor)
    return length == 0 ? 0 : (tensor.count + length - 1) / length
  }

  /// Elements of units, from the tensor's first.
  public func elements(of units: Range<Int>, in tensor: CodecTensor) -> Range<Int> {
    let length = unitLength(of: tensor)
    return min(units.lowerBound * length, tensor.count)..<min(units.upperBound * length, tensor.count)
  }

  /// Bytes of a range of units.
  public func bytes(of units: Range<Int>, in tensor: CodecTensor) -> Int {
    let count = elements(of: units, in: tensor).count
    if count == 0 { return 0 }
    let length = unitLength(of: tensor)
    let rest = count % length
    return count / length * bytes(ofUnitOf: length) + (rest == 0 ? 0 : bytes(ofUnitOf: rest))
  }

  /// Runs a body for each unit with the elements that it has, from the tensor's first, and where its bytes begin.
  func forEach(
    _ units: Range<Int>, of tensor: CodecTensor, _ body: (_ elements: Range<Int>, _ offset: Int) -> Void
  ) {
    let length = unitLength(of: tensor)
    precondition(units.upperBound <= unitCount(of: tensor), "units \(units) of \(tensor.name)")
    let stride = bytes(ofUnitOf: length)
    for unit in units {
      body(unit * length..<min((unit + 1) * length, tensor.count), (unit - units.lowerBound) * stride)
    }
  }

  /// Stops where a message is not as long as its units: only a fault of ours can make it so.
  func start(of bytes: UnsafeRawBufferPointer, _ units: Range<Int>, of tensor: CodecTensor) -> UnsafePointer<UInt8>? {
    let expected = self.bytes(of: units, in: tensor)
    precondition(
      bytes.count == expected, "units \(units) of \(tensor.name) have \(bytes.count) bytes instead of \(expected)")
    return bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
  }
}
