/// Scratch memory of one thread that runs updates.
public struct UpdateWorkspace: ~Copyable {
  /// Elements that run through a chain at a time: with update, parameters, gradient and a slot they stay in a first-level
  /// cache of 32 KiB. The number has no influence on the result.
  static let length = 1024

  // Sound: allocated here, freed in deinit, and lent out for the time of a borrow only.
  let scratch: UnsafeMutablePointer<Float>

  public init() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.length * MemoryLayout<Float>.size, alignment: 64)
    scratch = memory.bindMemory(to: Float.self, capacity: Self.length)
    scratch.initialize(repeating: 0, count: Self.length)
  }

  deinit { scratch.deallocate() }
}
