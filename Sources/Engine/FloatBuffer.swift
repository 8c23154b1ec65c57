import Foundation

/// Zeroed memory for a large flat vector or an arena, on huge pages where the system has them.
///
/// `skew` moves the start by so many bytes: flat vectors that are read side by side and start at equal offsets modulo
/// 4 KiB alias in the first-level cache and make an optimizer several times slower (docs/engine.md).
public final class FloatBuffer: @unchecked Sendable {  // Who may write when is the owner's to arrange.
  public let count: Int
  public let pointer: UnsafeMutablePointer<Float>
  /// Nil for memory of somebody else.
  private let base: UnsafeMutableRawPointer?
  private let length: Int
  private let owner: AnyObject?

  private static let hugePage = 2 << 20

  public init(count: Int, skew: Int = 0) throws {
    precondition(count >= 0 && skew >= 0 && skew % 64 == 0)
    self.count = count
    // Room for the skew and for kernels that read a whole vector at the end.
    let wanted = count * MemoryLayout<Float>.stride + skew + 64
    let alignment = wanted >= Self.hugePage ? Self.hugePage : 4096
    length = (wanted + alignment - 1) / alignment * alignment
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, alignment, length) == 0, let memory else {
      throw EngineError("no memory for \(wanted >> 20) MiB; use fewer shards a rank, a smaller batch or more hosts")
    }
    base = memory
    owner = nil
    if length >= Self.hugePage { madvise(memory, length, Int32(MADV_HUGEPAGE)) }
    memset(memory, 0, length)
    pointer = (memory + skew).bindMemory(to: Float.self, capacity: count)
  }

  /// A vector in memory of somebody else, whom it keeps alive.
  public init(count: Int, at pointer: UnsafeMutablePointer<Float>, of owner: AnyObject) {
    (self.count, self.pointer, self.owner) = (count, pointer, owner)
    (base, length) = (nil, 0)
  }

  deinit { free(base) }

  public var values: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: count) }
}
