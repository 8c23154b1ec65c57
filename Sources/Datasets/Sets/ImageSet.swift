import Determinism

/// Labelled images in memory, one byte a pixel and channel.
///
/// A set may be a selection of another one; both then share the bytes.
public struct ImageSet: ImageSource {
  public let shape: ImageShape
  /// All images, [n, C, H, W] row-major.
  private let pixels: [UInt8]
  private let labels: [Int32]
  /// Ids of the samples that belong to this set, in its order; nil: all.
  private let selection: [UInt32]?

  /// A set of `labels.count` images; `pixels` are [n, C, H, W], row-major.
  public init(shape: ImageShape, pixels: [UInt8], labels: [Int32]) {
    precondition(
      pixels.count == labels.count * shape.elementCount,
      "\(pixels.count) bytes for \(labels.count) images of \(shape)")
    precondition(labels.count <= Int(UInt32.max), "ids have 32 bits")
    self.init(shape: shape, pixels: pixels, labels: labels, selection: nil)
  }

  private init(shape: ImageShape, pixels: [UInt8], labels: [Int32], selection: [UInt32]?) {
    self.shape = shape
    self.pixels = pixels
    self.labels = labels
    self.selection = selection
  }

  public var count: Int { selection?.count ?? labels.count }

  /// The id of a sample: its number in the set that this one was selected from, if any, else its index.
  public func id(of index: Int) -> UInt32 {
    precondition(index >= 0 && index < count, "sample \(index) of \(count)")
    return selection?[index] ?? UInt32(index)
  }

  public func label(of index: Int) -> Int32 { labels[Int(id(of: index))] }

  /// The bytes of a sample, C, H, W.
  public func pixels(of index: Int) -> [UInt8] {
    let first = Int(id(of: index)) * shape.elementCount
    return Array(pixels[first..<first + shape.elementCount])
  }

  public func withSample<Result>(
    _ index: Int, _ body: (_ pixels: UnsafeBufferPointer<UInt8>, _ label: Int32, _ id: UInt32) throws -> Result
  ) rethrows -> Result {
    let id = id(of: index)
    let size = shape.elementCount
    return try pixels.withUnsafeBufferPointer { all in
      try body(all.extracting(Int(id) * size..<(Int(id) + 1) * size), labels[Int(id)], id)
    }
  }

  /// The samples at `indices`, in that order, with their ids kept.
  public func selecting(_ indices: [Int]) -> ImageSet {
    ImageSet(shape: shape, pixels: pixels, labels: labels, selection: indices.map { id(of: $0) })
  }

  /// How many samples have each label.
  public func labelCounts(classes: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: classes)
    for index in 0..<count { counts[Int(label(of: index))] += 1 }
    return counts
  }

  /// A 64-bit fingerprint of shape, ids, labels and pixels, in order; the same on every machine.
  ///
  /// It tells data sets apart that differ by accident, so that a run can record what it saw. It is not cryptographic.
  public var digest: UInt64 {
    var digest = Digest()
    for extent in [shape.channels, shape.height, shape.width, count] { digest.add(UInt64(extent)) }
    for index in 0..<count {
      withSample(index) { pixels, label, id in
        digest.add(UInt64(id) << 32 | UInt64(UInt32(bitPattern: label)))
        digest.add(UnsafeRawBufferPointer(pixels))
      }
    }
    return digest.value
  }
}

/// A chain of 64-bit finalisers over little-endian words.
private struct Digest {
  private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

  mutating func add(_ word: UInt64) { value = RandomStream.mix(value ^ word) &+ 0x9e37_79b9_7f4a_7c15 }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    let whole = bytes.count & ~7
    for offset in stride(from: 0, to: whole, by: 8) {
      add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    }
    var rest: UInt64 = 0
    for byte in bytes[whole...] { rest = rest << 8 | UInt64(byte) }
    if whole < bytes.count { add(rest) }
  }
}
