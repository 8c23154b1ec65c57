/// Scratch memory of one thread that runs updates.
public struct UpdateWorkspace: ~Copyable, @unchecked Sendable {
  /// Elements that run through a chain at a time. The number has no influence on the result.
  ///
  /// Update, parameters, gradient and a slot of 512 elements are 8 KiB, so they stay in a first-level cache of 32 KiB; of
  /// 256, 512, 1,024, 2,048 and 4,096 elements, 512 and 1,024 were fastest for vectors in the cache, 256 and 512 for
  /// those in memory, where 2,048 took up to twice as long.
  static let length = 512

  // Sound: allocated here, freed in deinit, and used only under the exclusive access of an inout argument.
  let scratch: UnsafeMutablePointer<Float>

  public init() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.length * MemoryLayout<Float>.size, alignment: 64)
    scratch = memory.bindMemory(to: Float.self, capacity: Self.length)
    scratch.initialize(repeating: 0, count: Self.length)
  }

  deinit { scratch.deallocate() }
}
