import COneDNN
import Determinism
import Networks

/// Where each parameter lies in a run's flat vectors, and in which kernel's layout.
///
/// Parameters, their gradients and each optimizer slot are one flat vector over this one layout. Parameters stand in the
/// order in which the backward pass finishes them, each on a 64-byte boundary; what lies between is zero and stays zero,
/// as does the padding inside a blocked layout.
public struct ParameterLayout: Sendable {
  public struct Entry: Sendable {
    public let parameter: Parameter
    /// The elements of the flat vector, padding of the blocked layout included.
    public let range: Range<Int>
    /// The kernels' order of elements, as `ABcd16b16a`.
    public var order: String { layout.text }
    let layout: Layout
    /// The standard layout over the same axes; a grouped convolution's kernel has one more, the groups, which changes
    /// the extents and not the order of elements.
    let plain: Layout
  }

  /// What a kernel chose for a parameter: its layout, and the extents that it sees.
  struct Form {
    let layout: Layout
    let extents: [Int]
  }

  /// In the order of the flat vector.
  public let entries: [Entry]
  /// Elements of a flat vector.
  public let count: Int
  /// Entry of each of the graph's parameters.
  let entryOfParameter: [Int]

  static let alignment = 16

  init(parameters: [Parameter], finishingOrder: [Int], forms: [Int: Form]) throws {
    // A parameter that the loss does not depend on gets no gradient but has its place all the same.
    let order = finishingOrder + parameters.indices.filter { !finishingOrder.contains($0) }
    var entries: [Entry] = []
    var entryOfParameter = [Int](repeating: 0, count: parameters.count)
    var next = 0
    for index in order {
      let parameter = parameters[index]
      let plain = try Layout.plain(forms[index]?.extents ?? parameter.shape)
      let layout = forms[index]?.layout ?? plain
      let count = layout.bytes / MemoryLayout<Float>.stride
      entryOfParameter[index] = entries.count
      entries.append(Entry(parameter: parameter, range: next..<(next + count), layout: layout, plain: plain))
      next = (next + count + Self.alignment - 1) / Self.alignment * Self.alignment
    }
    self.entries = entries
    self.count = next
    self.entryOfParameter = entryOfParameter
  }

  subscript(parameter index: Int) -> Entry { entries[entryOfParameter[index]] }

  /// The size in elements of each entry's place, alignment included: what buckets are cut from.
  public var extents: [Int] {
    entries.indices.map {
      (($0 + 1 < entries.count) ? entries[$0 + 1].range.lowerBound : count) - entries[$0].range.lowerBound
    }
  }
}

/// Between the kernels' layouts and the standard one (row-major), which files and people use.
extension ParameterLayout {
  /// One entry's elements in the standard layout.
  public func standardValues(of entry: Entry, in vector: UnsafePointer<Float>) throws -> [Float] {
    let source = UnsafeMutableRawPointer(mutating: vector + entry.range.lowerBound)
    return try [Float](unsafeUninitializedCapacity: entry.parameter.count) { buffer, initialized in
      guard let base = buffer.baseAddress else { return }
      try Layout.reorder(from: entry.layout, source, to: entry.plain, base)
      initialized = entry.parameter.count
    }
  }

  /// Writes one entry's elements, given in the standard layout; the padding becomes zero.
  public func setStandardValues(_ values: [Float], of entry: Entry, in vector: UnsafeMutablePointer<Float>) throws {
    precondition(values.count == entry.parameter.count)
    try values.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      try Layout.reorder(
        from: entry.plain, UnsafeMutableRawPointer(mutating: base), to: entry.layout,
        vector + entry.range.lowerBound)
    }
  }

  /// Fills a flat vector with the start values of every parameter, a function of the seed and the names.
  ///
  /// - Parameter zeroingResiduals: whether residual branches start at zero.
  public func initialize(
    _ vector: UnsafeMutablePointer<Float>, seed: UInt64, zeroingResiduals: Bool = false
  ) throws {
    for entry in entries {
      let parameter = entry.parameter
      let values = parameter.start(zeroingResiduals: zeroingResiduals)
        .values(count: parameter.count, seed: seed, name: parameter.name)
      try setStandardValues(values, of: entry, in: vector)
    }
  }
}
