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

  /// `aBcd16b` and the like.
  package var text: String { String(cString: odn_layout_text(pointer)) }

  package static func == (a: Layout, b: Layout) -> Bool { odn_layout_equal(a.pointer, b.pointer) != 0 }
}

extension Layout {
  /// Copies a tensor from one layout into another, on the calling thread alone; for set-up and files, not for steps.
  static func reorder(
    from source: Layout, _ sourceMemory: UnsafeMutableRawPointer, to destination: Layout,
    _ destinationMemory: UnsafeMutableRawPointer
  ) throws {
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
