import CKernels
import COneDNN

/// A kernel library that refused or failed; the text says which call and why.
public struct EngineError: Error, CustomStringConvertible, Sendable {
  public let description: String
  package init(_ description: String) { self.description = description }

  static func last(_ doing: String) -> EngineError { EngineError("\(doing): \(String(cString: odn_last_error()))") }
}

/// Extents of a tensor and the order in which memory holds its elements. Immutable.
package final class Layout: @unchecked Sendable, Equatable {  // The C++ value behind the pointer is never changed.
  let pointer: OpaquePointer

  init(owning pointer: OpaquePointer) { self.pointer = pointer }

  deinit { odn_layout_free(pointer) }

  /// What the elements are.
  package enum Element: Hashable, Sendable {
    case float32, bfloat16

    var bytes: Int { self == .float32 ? 4 : 2 }
  }

  package var element: Element { odn_layout_element(pointer) == ODN_BFLOAT16 ? .bfloat16 : .float32 }

  /// The same order of other elements.
  package func of(_ element: Element) throws -> Layout {
    if element == self.element { return self }
    guard let pointer = odn_layout_of_elements(pointer, element == .bfloat16 ? ODN_BFLOAT16 : ODN_FLOAT32) else {
      throw EngineError.last("layout \(text) of other elements")
    }
    return Layout(owning: pointer)
  }

  package static func plain(_ extents: [Int], of element: Element) throws -> Layout { try plain(extents).of(element) }

  package static func plain(_ extents: [Int]) throws -> Layout {
    guard let pointer = odn_layout_plain(Int32(extents.count), extents.map(Int64.init)) else {
      throw EngineError.last("layout of \(extents)")
    }
    return Layout(owning: pointer)
  }

  /// Weights of a convolution in blocks of filters and of channels.
  static func blockedWeights(_ extents: [Int], block: Int) throws -> Layout {
    guard let pointer = odn_layout_blocked_weights(extents.map(Int64.init), Int32(block)) else {
      throw EngineError.last("layout of weights \(extents)")
    }
    return Layout(owning: pointer)
  }

  /// [n, c, h, w] with so many channels side by side: 16, 8 or 4.
  static func channelBlocks(_ extents: [Int], of channels: Int) throws -> Layout {
    guard let pointer = odn_layout_channel_blocks(extents.map(Int64.init), Int32(channels)) else {
      throw EngineError.last("layout of \(extents)")
    }
    return Layout(owning: pointer)
  }

  /// Left to the kernel that is made with it.
  static func any(_ extents: [Int]) throws -> Layout {
    guard let pointer = odn_layout_any(Int32(extents.count), extents.map(Int64.init)) else {
      throw EngineError.last("layout of \(extents)")
    }
    return Layout(owning: pointer)
  }

  /// The part of `extents` elements that starts at `offsets`; nil where this layout cannot express it.
  func part(_ extents: [Int], at offsets: [Int]) -> Layout? {
    odn_layout_part(pointer, extents.map(Int64.init), offsets.map(Int64.init)).map(Layout.init(owning:))
  }

  /// Other extents in the same order of elements; row-major where this order has no name.
  func resized(_ extents: [Int]) throws -> Layout {
    try odn_layout_resized(pointer, extents.map(Int64.init)).map(Layout.init(owning:)) ?? .plain(extents)
  }

  /// Bytes of memory, padding included.
  var bytes: Int { odn_layout_bytes(pointer) }

  /// Whether elements lie at known places, so that an optimizer can work on them one by one.
  var isBlocked: Bool { odn_layout_is_blocked(pointer) != 0 }

  /// `aBcd16b` and the like: the order of elements.
  var order: String { String(cString: odn_layout_text(pointer)) }

  /// The order, behind `bf16:` where the elements are not floats.
  package var text: String { element == .float32 ? order : "bf16:" + order }

  package static func == (a: Layout, b: Layout) -> Bool { odn_layout_equal(a.pointer, b.pointer) != 0 }
}

extension Layout {
  /// Copies a tensor from one layout into another, of floats, on the calling thread alone; for set-up and files, not for
  /// steps.
  static func reorder(
    from source: Layout, _ sourceMemory: UnsafeMutableRawPointer, to destination: Layout,
    _ destinationMemory: UnsafeMutableRawPointer
  ) throws {
    if source.element == .bfloat16 {
      // The library may not know these elements.
      let floats = try source.of(.float32)
      let count = floats.bytes / MemoryLayout<Float>.stride
      let widened = try FloatBuffer(count: count)
      ck_widen_bfloat16(sourceMemory.assumingMemoryBound(to: UInt16.self), widened.pointer, count)
      return try reorder(from: floats, widened.pointer, to: destination, destinationMemory)
    }
    // A thread that is no worker would get a team of all cores for each small tensor, whose threads wait for each other
    // in loops: beside other busy ranks that took ten times as long as the copies.
    let team = odn_threads()
    odn_set_threads(1)
    defer { odn_set_threads(team) }
    let kernel = try Kernel(odn_reorder(source.pointer, destination.pointer), "reordering a tensor")
    try kernel.build()
    try kernel.bind(ODN_SRC, to: sourceMemory)
    try kernel.bind(ODN_DST, to: destinationMemory)
    // One small reorder; its scratchpad, where there is one, lives as long as the call.
    let scratch = try FloatBuffer(count: kernel.layout(ODN_SCRATCHPAD).bytes / MemoryLayout<Float>.stride + 1)
    try kernel.bind(ODN_SCRATCHPAD, to: scratch.pointer)
    try kernel.run()
  }
}
